#define _GNU_SOURCE
#include "tree-copy.h"

#include <dirent.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "system.h"

/// Each level holds two descriptors open; deeper trees are only made to break programs.
enum { MAX_DEPTH = 400, TELL_MS = 100 };

static const uint64_t beneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

int tell_progress(struct tree_copy *copy) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t milliseconds = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (milliseconds - copy->told < TELL_MS) return 0;
    copy->told = milliseconds;
    if (write(copy->pipe, &copy->done, sizeof copy->done) >= 0) return 0;
    errno = ECANCELED;
    return -1;
}

/// A file that was copied and has further names.
struct linked {
    dev_t device;
    ino_t inode;
    char path[];
};

static int compare_linked(const void *a, const void *b) {
    const struct linked *one = a, *other = b;
    if (one->device != other->device) return one->device < other->device ? -1 : 1;
    return one->inode == other->inode ? 0 : one->inode < other->inode ? -1 : 1;
}

/// Makes `name` a further name of a copy that was made before. 0 when there is none yet, 1 when it is made.
static int link_earlier(struct tree_copy *copy, const struct stat *status, int to, const char *name) {
    size_t length = strlen(copy->path) + 1;
    struct linked *entry = malloc(sizeof *entry + length);
    if (!entry) return -1;
    entry->device = status->st_dev;
    entry->inode = status->st_ino;
    memcpy(entry->path, copy->path, length);
    struct linked **found = tsearch(entry, &copy->linked, compare_linked);
    if (!found || *found == entry) return found ? 0 : -1;
    free(entry);
    char parent[sizeof copy->path];
    strcpy(parent, (*found)->path);
    char *slash = strrchr(parent, '/');
    const char *base = slash ? slash + 1 : parent;
    if (slash) *slash = 0;
    AUTO_CLOSE int directory = open_plain(copy->top, slash ? parent : ".", O_PATH | O_DIRECTORY, 0, beneath);
    return directory < 0 || linkat(directory, base, to, name, 0) < 0 ? -1 : 1;
}

static int finish_file(struct tree_copy *copy, int from, int to, const struct stat *status) {
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    // Changing the owner clears set-id bits and capabilities, so it comes first.
    if (fchown(to, status->st_uid, status->st_gid) < 0 || copy_attributes(copy, from, to) < 0) return -1;
    return fchmod(to, status->st_mode & 07777) < 0 ? -1 : futimens(to, times);
}

static int copy_regular(struct tree_copy *copy, int from, const char *name, int to, const char *new_name) {
    struct stat status;
    AUTO_CLOSE int source = open_plain(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, beneath);
    if (source < 0 || fstat(source, &status) < 0) return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    AUTO_CLOSE int target = openat(to, new_name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0 || copy_content(copy, source, target, status.st_size) < 0) return -1;
    return finish_file(copy, source, target, &status);
}

/// A link, pipe or socket, in a directory that nobody else may enter yet.
static int copy_special(int from, const char *name, const struct stat *status, int to, const char *new_name) {
    char target[PATH_MAX];
    ssize_t length = S_ISLNK(status->st_mode) ? readlinkat(from, name, target, sizeof target - 1) : 0;
    if (length < 0) return -1;
    target[length] = 0;
    int made = S_ISLNK(status->st_mode) ? symlinkat(target, to, new_name) : mknodat(to, new_name, status->st_mode, 0);
    if (made < 0 || fchownat(to, new_name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    return utimensat(to, new_name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_entry(struct tree_copy *copy, int from, const char *name, int to, const char *new_name, int depth);

static int copy_children(struct tree_copy *copy, DIR *source, int target, int depth) {
    size_t used = strlen(copy->path);
    for (struct dirent *entry; (errno = 0, entry = readdir(source));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        if (used + strlen(name) + 2 > sizeof copy->path) {
            errno = EOVERFLOW;
            return -1;
        }
        copy->path[used] = '/';
        strcpy(copy->path + used + 1, name);
        if (copy_entry(copy, dirfd(source), name, target, name, depth) < 0) return -1;
        copy->path[used] = 0;
    }
    return errno ? -1 : 0;
}

static int copy_directory(struct tree_copy *copy, int from, const char *name, int to, const char *new_name, int depth) {
    if (depth == 0) {
        errno = EOVERFLOW;
        return -1;
    }
    struct stat status;
    int found = open_plain(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, beneath | RESOLVE_NO_XDEV);
    DIR *source = found < 0 ? NULL : fdopendir(found);
    if (!source) return -1;
    AUTO_CLOSE int target = mkdirat(to, new_name, 0700) < 0
                                ? -1
                                : open_plain(to, new_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, beneath);
    int result = target < 0 || fstat(found, &status) < 0 || copy_children(copy, source, target, depth - 1) < 0
                     ? -1
                     : finish_file(copy, found, target, &status);
    int error = errno;
    closedir(source);
    errno = error;
    return result;
}

static int copy_entry(struct tree_copy *copy, int from, const char *name, int to, const char *new_name, int depth) {
    struct stat status;
    if (tell_progress(copy) < 0 || fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
        copy->done.left_out++;
        return 0;
    }
    copy->done.files++;
    if (S_ISDIR(status.st_mode)) return copy_directory(copy, from, name, to, new_name, depth);
    int linked = status.st_nlink > 1 ? link_earlier(copy, &status, to, new_name) : 0;
    if (linked) return linked < 0 ? -1 : 0;
    if (S_ISREG(status.st_mode)) return copy_regular(copy, from, name, to, new_name);
    return copy_special(from, name, &status, to, new_name);
}

int copy_tree(struct tree_copy *copy, int from, const char *name, const char *new_name) {
    strcpy(copy->path, new_name);
    int result = copy_entry(copy, from, name, copy->top, new_name, MAX_DEPTH);
    int error = errno;
    tdestroy(copy->linked, free);
    copy->linked = NULL;
    errno = error;
    return result;
}
