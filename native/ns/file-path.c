#define _GNU_SOURCE
#include "file-path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

static int descriptors = -1;

int remember_descriptors(void) {
    descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return descriptors < 0 ? -1 : 0;
}

/// A name below `descriptors` that leads to what a descriptor stands for.
struct link_name {
    char text[16];
};

static struct link_name link_of(int descriptor) {
    struct link_name name;
    snprintf(name.text, sizeof name.text, "%d", descriptor);
    return name;
}

int reopen(int path_descriptor, int flags) {
    struct link_name name = link_of(path_descriptor);
    return openat(descriptors, name.text, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int path_of(int descriptor, char *path, size_t size) {
    struct link_name name = link_of(descriptor);
    ssize_t length = readlinkat(descriptors, name.text, path, size - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return 0;
}

FILE *open_mounts(void) {
    int file = openat(descriptors, "../mountinfo", O_RDONLY | O_CLOEXEC);
    return file < 0 ? NULL : fdopen(file, "r");
}

int change_mode(int path_descriptor, mode_t mode) {
    struct link_name name = link_of(path_descriptor);
    return fchmodat(descriptors, name.text, mode, 0);
}

int change_times(int path_descriptor, time_t accessed, time_t modified) {
    struct timespec times[2] = {{.tv_sec = accessed}, {.tv_sec = modified}};
    struct link_name name = link_of(path_descriptor);
    return utimensat(descriptors, name.text, times, 0);
}

int open_path(const char *path, bool follow, struct stat *status) {
    int descriptor = open_plain(AT_FDCWD, path, (uint64_t)(O_PATH | (follow ? 0 : O_NOFOLLOW)), 0, 0);
    if (descriptor < 0) return -1;
    if (fstat(descriptor, status) == 0) return descriptor;
    close_descriptor(&descriptor);
    return -1;
}

/// Moves `place` on to what `path` names, relative to its present directory.
static int step(struct place *place, const char *path) {
    char parent[PATH_MAX];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    if (length >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parent, path, length);
    parent[length] = 0;
    char *slash = strrchr(parent, '/');
    const char *name = slash ? slash + 1 : parent;
    if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EINVAL;
        return -1;
    }
    if (strlen(name) >= sizeof place->name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(place->name, name);
    if (slash) slash[slash == parent ? 1 : 0] = 0;
    int directory = open_plain(place->directory, slash ? parent : ".", O_PATH | O_DIRECTORY, 0, 0);
    if (directory < 0) return -1;
    if (place->directory >= 0) close(place->directory);
    place->directory = directory;
    return 0;
}

int open_place(const char *path, bool follow, struct place *place) {
    place->directory = AT_FDCWD;
    const char *next = path;
    char target[PATH_MAX];
    for (int links = 0; links < 40; links++) {
        if (step(place, next) < 0) break;
        if (!follow) return 0;
        ssize_t length = readlinkat(place->directory, place->name, target, sizeof target - 1);
        if (length < 0) return 0;
        target[length] = 0;
        next = target;
        errno = ELOOP;
    }
    close_descriptor(&place->directory);
    return -1;
}
