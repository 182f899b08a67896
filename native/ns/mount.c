#define _GNU_SOURCE
#include "mount.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "system.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

int parse_mount(const struct request *request, struct mount_request *mount) {
    struct reader reader = read_body(request);
    mount->target = read_target(&reader);
    mount->flags = read_u32(&reader);
    mount->source = read_string(&reader);
    mount->place = read_string(&reader);
    bool good = read_complete(&reader) && mount->place[0] == '/' && strlen(mount->place) < PATH_MAX;
    return good ? 0 : EBADMSG;
}

static struct mount_attr plain_attributes(uint32_t flags) {
    struct mount_attr attributes = {.propagation = MS_PRIVATE};
    if (flags & MOUNT_SHARED) attributes.propagation = MS_SHARED;
    if (flags & MOUNT_SLAVE) attributes.propagation = MS_SLAVE;
    if (flags & MOUNT_UNBINDABLE) attributes.propagation = MS_UNBINDABLE;
    if (flags & MOUNT_READ_ONLY) attributes.attr_set |= MOUNT_ATTR_RDONLY;
    if (flags & MOUNT_NO_EXEC) attributes.attr_set |= MOUNT_ATTR_NOEXEC;
    if (flags & MOUNT_NO_SUID) attributes.attr_set |= MOUNT_ATTR_NOSUID;
    if (flags & MOUNT_NO_DEV) attributes.attr_set |= MOUNT_ATTR_NODEV;
    if (flags & MOUNT_NO_ATIME) {
        attributes.attr_clr |= MOUNT_ATTR__ATIME;
        attributes.attr_set |= MOUNT_ATTR_NOATIME;
    }
    return attributes;
}

/// A detached copy of the source tree with the attributes asked for.
static int clone_source(const struct mount_request *mount, const struct report *report) {
    unsigned recursive = mount->flags & MOUNT_RECURSIVE ? AT_RECURSIVE : 0;
    int tree = sys_open_tree(AT_FDCWD, mount->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
    if (tree < 0) fail(report, "open the source");
    struct mount_attr attributes = plain_attributes(mount->flags);
    if (mount->flags & MOUNT_IDMAPPED) {
        int users = open_user_namespace(&mount->target);
        if (users < 0 && errno != 0) fail(report, "open the user namespace");
        if (users >= 0) {
            attributes.attr_set |= MOUNT_ATTR_IDMAP;
            attributes.userns_fd = (uint64_t)users;
        }
    }
    if (sys_mount_setattr(tree, AT_EMPTY_PATH | recursive, &attributes) < 0) fail(report, "set the mount's attributes");
    return tree;
}

/// Opens, and makes where missing, one directory after the other below `root`; the last may be a file.
static int make_place(int root, const char *place, bool is_file) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", place);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        AUTO_CLOSE int there = open_plain(root, path, O_PATH, 0, RESOLVE_IN_ROOT);
        if (there < 0 && (errno != ENOENT || mkdir(path, 0755) < 0) && errno != EEXIST) return -1;
        *slash = '/';
    }
    if (!is_file) return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
    AUTO_CLOSE int file = open_plain(root, path, O_CREAT | O_EXCL | O_WRONLY, 0644, RESOLVE_IN_ROOT);
    return file < 0 && errno != EEXIST ? -1 : 0;
}

/// Makes the mount point as the container's root: ids of the host do not exist in its file systems, and the guest must
/// not gain by where its links lead.
static void make_place_as_guest(const struct mount_request *mount, int pidfd, const struct report *report) {
    int namespaces = target_namespaces(&mount->target, CLONE_NEWUSER);
    pid_t child = fork();
    if (child < 0) fail(report, "start a process");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (namespaces && setns(pidfd, namespaces) < 0) fail(report, "enter the user namespace");
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) fail(report, "become the container's root");
        AUTO_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (make_place(root, mount->place, mount->flags & MOUNT_IS_FILE) < 0) fail(report, "make the mount point");
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) _exit(1);
}

static int open_place(const char *place) {
    AUTO_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return open_plain(root, place, O_PATH, 0, RESOLVE_IN_ROOT);
}

/// Joins the mount namespace only: the right to mount stays that of the host's root.
static int enter_mounts(const struct mount_request *mount, const struct report *report) {
    int pidfd = open_target(&mount->target);
    if (pidfd < 0) fail(report, "find the container");
    umask(022);
    return pidfd;
}

void mount_into(const struct mount_request *mount, const struct report *report) {
    int pidfd = enter_mounts(mount, report);
    int tree = clone_source(mount, report);
    if (setns(pidfd, CLONE_NEWNS) < 0) fail(report, "enter the container");
    int place = open_place(mount->place);
    if (place < 0 && errno == ENOENT) {
        make_place_as_guest(mount, pidfd, report);
        place = open_place(mount->place);
    }
    if (place < 0) fail(report, "open the mount point");
    if (sys_move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        fail(report, "mount");
    _exit(0);
}

void unmount_from(const struct mount_request *mount, const struct report *report) {
    int pidfd = enter_mounts(mount, report);
    if (setns(pidfd, CLONE_NEWNS) < 0) fail(report, "enter the container");
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", mount->place);
    char *name = strrchr(parent, '/');
    *name++ = 0;
    if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EINVAL;
        fail(report, "find the mount point");
    }
    int directory = open_place(*parent ? parent : "/");
    if (directory < 0 && errno == ENOENT) _exit(0);
    // umount2 takes no descriptor, so the parent becomes the working directory and the name has no link to follow.
    if (directory < 0 || fchdir(directory) < 0) fail(report, "open the mount point");
    if (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT) fail(report, "unmount");
    _exit(0);
}
