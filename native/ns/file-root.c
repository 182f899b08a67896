#define _GNU_SOURCE
#include "file-root.h"

#include <grp.h>
#include <linux/capability.h>
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

/// What root needs to reach every file; nothing that reaches beyond files (CAP_SYS_ADMIN, CAP_MKNOD and so on).
static const uint64_t file_capabilities = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH |
                                          1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_SETFCAP;

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted = (uint32_t)(file_capabilities >> (32 * i));
    return (int)syscall(SYS_capset, &header, data);
}

static int become_root(const char **stage) {
    *stage = "become the instance's root";
    if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 || chdir("/") < 0) return -1;
    if (drop_capabilities() < 0) return -1;
    umask(0);
    // Changing credentials clears both.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0) return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int enter_running(const struct target *target, const char **stage) {
    *stage = "find the container";
    AUTO_CLOSE int pidfd = open_target(target);
    if (pidfd < 0) return -1;
    *stage = "enter the container";
    if (setns(pidfd, target_namespaces(target, CLONE_NEWUSER | CLONE_NEWNS)) < 0) return -1;
    return become_root(stage);
}

static int write_map(pid_t pid, const char *name, const char *map) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    AUTO_CLOSE int file = open(path, O_WRONLY | O_CLOEXEC);
    return file < 0 || write(file, map, strlen(map)) != (ssize_t)strlen(map) ? -1 : 0;
}

/// A user namespace is only made by a process in it: a child that ends once the maps are written.
int create_user_namespace(const char *users, const char *groups) {
    int ready[2], done[2];
    char byte = 0;
    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) return -1;
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        close(done[1]);
        if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], &byte, 1) != 1) _exit(1);
        _exit(read(done[0], &byte, 1) < 0);
    }
    close(ready[1]);
    close(done[0]);
    int namespace = -1;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/ns/user", child);
    if (read(ready[0], &byte, 1) == 1 && write_map(child, "uid_map", users) == 0 &&
        write_map(child, "gid_map", groups) == 0)
        namespace = open(path, O_RDONLY | O_CLOEXEC);
    close(ready[0]);
    close(done[1]);
    waitpid(child, NULL, 0);
    return namespace;
}

/// A private copy of the root file system's mount, in which ids are the instance's and devices mean nothing.
static int clone_root(const char *rootfs, int users, bool read_only, const char **stage) {
    *stage = "open the root file system";
    int tree = sys_open_tree(AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (tree < 0) return -1;
    *stage = "map the ids of the root file system";
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
    if (read_only) attributes.attr_set |= MOUNT_ATTR_RDONLY;
    if (users >= 0) {
        attributes.attr_set |= MOUNT_ATTR_IDMAP;
        attributes.userns_fd = (uint64_t)users;
    }
    if (sys_mount_setattr(tree, AT_EMPTY_PATH, &attributes) == 0) return tree;
    close(tree);
    return -1;
}

static int make_root(int tree, const char **stage) {
    *stage = "make the root file system this process's root";
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    // Any directory will do as the place to attach to; the old root goes away as a whole.
    if (sys_move_mount(tree, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0) return -1;
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0) return -1;
    return chdir("/");
}

int enter_stopped(const char *rootfs, const struct root_view *view, const char **stage) {
    *stage = "create a user namespace";
    bool mapped = *view->users != 0;
    AUTO_CLOSE int users = mapped ? create_user_namespace(view->users, view->groups) : -1;
    if (mapped && users < 0) return -1;
    AUTO_CLOSE int tree = clone_root(rootfs, view->host_ids ? -1 : users, view->read_only, stage);
    if (tree < 0 || make_root(tree, stage) < 0) return -1;
    *stage = "enter the user namespace";
    if (mapped && setns(users, CLONE_NEWUSER) < 0) return -1;
    return become_root(stage);
}
