#define _GNU_SOURCE
#include "cage.h"

#include <linux/capability.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "file-root.h"
#include "system.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/// What copying a tree with owners, modes, device nodes and file capabilities takes.
static const uint64_t tree_capabilities = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH |
                                          1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_MKNOD |
                                          1ULL << CAP_SETFCAP;
/// What btrfs asks for besides.
static const uint64_t btrfs_capabilities = 1ULL << CAP_SYS_ADMIN;

static int complain(const char *stage) {
    fprintf(stderr, "ctr-ns cage: failed to %s: %s\n", stage, strerror(errno));
    return 126;
}

static int clone_mount(const char *path, uint64_t attributes, int users) {
    int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr wanted = {.attr_set = attributes | MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
    if (users >= 0) {
        wanted.attr_set |= MOUNT_ATTR_IDMAP;
        wanted.userns_fd = (uint64_t)users;
    }
    if (tree < 0 || sys_mount_setattr(tree, AT_EMPTY_PATH, &wanted) == 0) return tree;
    close(tree);
    return -1;
}

/// By its path: what /proc/self/exe itself leads to lies in the mount namespace that was left.
static int clone_self(void) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return clone_mount(path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, -1);
}

static int attach(int tree, const char *place) {
    return tree < 0 ? -1 : sys_move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH);
}

static int attach_file(int tree, const char *place) {
    AUTO_CLOSE int file = open(place, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    return file < 0 ? -1 : attach(tree, place);
}

/// A folder of the host's programs, as the link or the folder that it is there.
static int show_programs(const char *path) {
    char link[PATH_MAX];
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length >= 0) {
        link[length] = 0;
        return symlink(link, path + 1);
    }
    if (access(path, F_OK) < 0) return 0;
    AUTO_CLOSE int tree = clone_mount(path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, -1);
    return mkdir(path + 1, 0755) < 0 ? -1 : attach(tree, path + 1);
}

/// The new root is built in a file system in memory; any directory will do as the place for it.
static int build_root(int volume, int self, const char **stage) {
    int null = clone_mount("/dev/null", MOUNT_ATTR_NOEXEC, -1);
    static const char *const programs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"};
    *stage = "make the root";
    if (mount("cage", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64k") < 0 || chdir("/proc") < 0) return -1;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (show_programs(programs[i]) < 0) return -1;
    *stage = "show the tree";
    if (mkdir("volume", 0755) < 0 || attach(volume, "volume") < 0) return -1;
    *stage = "show the relay";
    if (attach_file(self, "relay") < 0) return -1;
    *stage = "show the devices";
    if (mkdir("dev", 0755) < 0 || attach_file(null, "dev/null") < 0) return -1;
    *stage = "enter the root";
    if (mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0) return -1;
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0) return -1;
    return chdir("/");
}

/// The bounding set too: root gets back at execve(2) whatever that still holds.
static int keep_capabilities(uint64_t kept) {
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (!(kept >> capability & 1) && prctl(PR_CAPBSET_DROP, capability) < 0) return -1;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted = (uint32_t)(kept >> (32 * i));
    return (int)syscall(SYS_capset, &header, data);
}

int cage(char **arguments) {
    const char *mode = arguments[0], *stage = "enter a mount namespace";
    bool read_only = strncmp(mode, "ro", 2) == 0;
    bool needs_btrfs = strcmp(mode + 2, "+btrfs") == 0;
    uint32_t base = (uint32_t)strtoul(arguments[2], NULL, 10), size = (uint32_t)strtoul(arguments[3], NULL, 10);
    char map[80];
    // The program's own root, which is not among the ids of the tree, needs one on disk for what it has yet to give away.
    snprintf(map, sizeof map, "0 %u %u\n%u 0 1\n", base, size, size);
    AUTO_CLOSE int users = size ? create_user_namespace(map, map) : -1;
    if (size && users < 0) return complain("map the ids");
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET) < 0) return complain(stage);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return complain(stage);
    uint64_t attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (read_only ? MOUNT_ATTR_RDONLY : 0);
    int volume = clone_mount(arguments[1], attributes, users);
    if (volume < 0) return complain("open the tree");
    int self = clone_self();
    if (build_root(volume, self, &stage) < 0) return complain(stage);
    if (keep_capabilities(tree_capabilities | (needs_btrfs ? btrfs_capabilities : 0)) < 0) return complain("drop rights");
    umask(0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return complain("drop rights");
    // Descriptor 3 is the relay's channel to the daemon.
    if (sys_close_range(4, ~0U) < 0) return complain("close files");
    execvp(arguments[4], arguments + 4);
    return complain("run the program");
}
