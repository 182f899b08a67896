#define _GNU_SOURCE
#include "caller.h"

#include <grp.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "system.h"

/// All of a small file in a folder of /proc, as text in static memory; NULL when it is not all there.
static const char *read_status(int process, const char *name) {
    static char text[65536];
    AUTO_CLOSE int file = openat(process, name, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t more = -1; file >= 0 && length < sizeof text - 1 && more != 0; length += (size_t)more)
        if ((more = read(file, text + length, sizeof text - 1 - length)) < 0) return NULL;
    if (file < 0 || length == sizeof text - 1) return NULL;
    text[length] = 0;
    return text;
}

/// What follows "KEY:" at the beginning of a line, or NULL.
static const char *field(const char *status, const char *key) {
    size_t length = strlen(key);
    for (const char *line = status; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':') return line + length + 1;
    }
    return NULL;
}

/// The numbers up to the end of the line. Returns how many, or -1 when there are more than fit.
static ssize_t numbers(const char *at, uint32_t values[], size_t room) {
    size_t count = 0;
    for (; at; count++) {
        while (*at == ' ' || *at == '\t') at++;
        if (*at < '0' || *at > '9') return (ssize_t)count;
        if (count == room) return -1;
        char *end;
        values[count] = (uint32_t)strtoul(at, &end, 10);
        at = end;
    }
    return -1;
}

static int read_ids(const char *status, struct caller *caller) {
    // real, effective, saved, and that of file accesses
    uint32_t uids[4], gids[4], pids[33];
    ssize_t groups = numbers(field(status, "Groups"), caller->groups, MOST_GROUPS);
    ssize_t depth = numbers(field(status, "NSpid"), pids, sizeof pids / sizeof *pids);
    if (groups < 0 || depth < 1 || numbers(field(status, "Uid"), uids, 4) != 4) return -1;
    const char *umask_text = field(status, "Umask"), *rights = field(status, "CapEff");
    if (numbers(field(status, "Gid"), gids, 4) != 4 || !umask_text || !rights) return -1;
    caller->uid = uids[3];
    caller->gid = gids[3];
    caller->group_count = (size_t)groups;
    caller->own_pid = (pid_t)pids[depth - 1];
    caller->umask = (mode_t)strtoul(umask_text, NULL, 8) & 0777;
    caller->rights = strtoull(rights, NULL, 16);
    return 0;
}

/// Nobody inside can make a namespace whose parent is ours, so such a one is the container's.
static bool is_child_of_ours(int users) {
    AUTO_CLOSE int parent = ioctl(users, NS_GET_PARENT);
    struct stat theirs, ours;
    if (parent < 0 || fstat(parent, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0) return false;
    return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

int read_caller(const struct call *call, struct caller *caller) {
    const char *status = read_status(call->process, "status");
    if (!status || read_ids(status, caller) < 0) return -1;
    caller->root = openat(call->process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    caller->users = openat(call->process, "ns/user", O_RDONLY | O_CLOEXEC);
    caller->mounts = openat(call->process, "ns/mnt", O_RDONLY | O_CLOEXEC);
    if (caller->root < 0 || caller->users < 0 || caller->mounts < 0) return -1;
    caller->in_own_users = is_child_of_ours(caller->users);
    return 0;
}

bool caller_may(const struct caller *caller, int capability) {
    return caller->in_own_users && (caller->rights >> capability & 1);
}

static bool is_mapped(int process, const char *map, uint32_t id) {
    const char *line = read_status(process, map);
    while (line && *line) {
        uint32_t range[3];
        // inside, outside, how many
        if (numbers(line, range, 3) == 3 && id >= range[1] && id - range[1] < range[2]) return true;
        line = strchr(line, '\n');
        if (line) line++;
    }
    return false;
}

bool caller_has_ids(const struct call *call, uid_t uid, gid_t gid) {
    return is_mapped(call->process, "uid_map", uid) && is_mapped(call->process, "gid_map", gid);
}

int open_start(const struct call *call, int folder) {
    if (folder == AT_FDCWD) return openat(call->process, "cwd", O_PATH | O_CLOEXEC);
    char path[32];
    snprintf(path, sizeof path, "fd/%d", folder);
    int start = folder < 0 ? -1 : openat(call->process, path, O_PATH | O_CLOEXEC);
    if (start < 0) errno = EBADF;
    return start;
}
