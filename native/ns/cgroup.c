#define _GNU_SOURCE
#include "cgroup.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "system.h"

static bool file_begins(int directory, const char *name, const char *one, const char *other) {
    char text[16] = {0};
    AUTO_CLOSE int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0) return false;
    return strncmp(text, one, strlen(one)) == 0 || strncmp(text, other, strlen(other)) == 0;
}

bool cgroup_frozen(const char *path) {
    AUTO_CLOSE int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    return file_begins(directory, "freezer.state", "FROZEN", "FREEZING") ||
           file_begins(directory, "cgroup.freeze", "1", "1");
}

int open_cgroup(const char *path) {
    AUTO_CLOSE int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs system;
    if (directory < 0 || fstatfs(directory, &system) < 0) return -1;
    if (system.f_type != CGROUP2_SUPER_MAGIC) return openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (mkdirat(directory, ".lxc", 0755) < 0 && errno != EEXIST) return -1;
    return openat(directory, ".lxc/cgroup.procs", O_WRONLY | O_CLOEXEC);
}
