#define _GNU_SOURCE
#include "target.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "system.h"

struct target read_target(struct reader *reader) {
    struct target target = {.init = (pid_t)read_u32(reader)};
    target.start_time = read_u64(reader);
    return target;
}

static ssize_t read_small(const char *path, char *text, size_t size) {
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = read(file, text, size - 1);
    if (length >= 0) text[length] = 0;
    return length;
}

static uint64_t start_time_of(pid_t pid) {
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (read_small(path, text, sizeof text) <= 0) return 0;
    // The name in field 2 may hold spaces and brackets, so count from the last bracket (proc(5)).
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

int open_target(const struct target *target) {
    if (target->init <= 1) {
        errno = ESRCH;
        return -1;
    }
    int pidfd = sys_pidfd_open(target->init);
    if (pidfd < 0) return -1;
    if (start_time_of(target->init) == target->start_time) return pidfd;
    close(pidfd);
    errno = ESRCH;
    return -1;
}

static bool shares_user_namespace(pid_t pid) {
    char path[32];
    struct stat theirs, ours;
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    if (stat(path, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0) return false;
    return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

int target_namespaces(const struct target *target, int wanted) {
    return shares_user_namespace(target->init) ? wanted & ~CLONE_NEWUSER : wanted;
}

int open_user_namespace(const struct target *target) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/ns/user", target->init);
    if (!shares_user_namespace(target->init)) return open(path, O_RDONLY | O_CLOEXEC);
    errno = 0;
    return -1;
}

int adopt_limits(const struct target *target) {
    for (int resource = 0; resource < RLIMIT_NLIMITS; resource++) {
        struct rlimit limit;
        if (prlimit(target->init, resource, NULL, &limit) < 0) return -1;
        // systemd raises its own soft limit to the maximum; select(2) programs break with more than 1024.
        if (resource == RLIMIT_NOFILE && limit.rlim_cur > 1024) limit.rlim_cur = 1024;
        if (setrlimit(resource, &limit) < 0) return -1;
    }
    char path[40], score[16];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", target->init);
    ssize_t length = read_small(path, score, sizeof score);
    if (length <= 0) return -1;
    AUTO_CLOSE int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    return file < 0 || write(file, score, (size_t)length) < 0 ? -1 : 0;
}
