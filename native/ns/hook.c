#define _GNU_SOURCE
#include "hook.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

/// How a process ended that its parent has not asked about yet, as waitpid(2) says it; -1 for one that runs.
static int ended_as(long pid) {
    char path[32], line[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, line, sizeof line - 1);
    if (length <= 0) return -1;
    line[length] = '\0';
    const char *state = strrchr(line, ')'), *last = strrchr(line, ' ');
    return state && last && strncmp(state, ") Z", 3) == 0 ? atoi(last + 1) : -1;
}

/// The monitor of a restored container never says that the guest asked for a reboot. The kernel then ends its init with
/// SIGHUP (pid_namespaces(7)), and the monitor has not looked yet.
static bool init_was_rebooted(void) {
    char path[64], children[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", getppid(), getppid());
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, children, sizeof children - 1);
    if (length <= 0) return false;
    children[length] = '\0';
    for (char *rest = children, *end; *rest; rest = end) {
        long pid = strtol(rest, &end, 10);
        if (end == rest) return false;
        if (ended_as(pid) == SIGHUP) return true;
    }
    return false;
}

/// A file, because it is there before the monitor ends and whether or not the daemon runs.
static int leave_note(const char *run_directory, const char *target) {
    AUTO_CLOSE int directory = open(run_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int file =
        openat(directory, "target.new", O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0 || write(file, target, strlen(target)) != (ssize_t)strlen(target)) return -1;
    return renameat(directory, "target.new", directory, "target");
}

int hook(const char *run_directory) {
    const char *asked = getenv("LXC_TARGET");
    bool reboots = (asked && strcmp(asked, "reboot") == 0) || init_was_rebooted();
    leave_note(run_directory, reboots ? "reboot" : "stop");
    return reboots ? 1 : 0;
}
