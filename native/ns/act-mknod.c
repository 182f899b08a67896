#define _GNU_SOURCE
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "act.h"
#include "caller.h"
#include "system.h"

struct node {
    char path[PATH_MAX];
    /// the last part of the path, and where it is to be
    char *name;
    const char *folder;
};

/// LXD's list but for whiteouts (0:0), which the kernel lets everybody make.
static bool is_harmless(unsigned device) {
    switch (device) {
        case 0x103: // null
        case 0x105: // zero
        case 0x107: // full
        case 0x108: // random
        case 0x109: // urandom
        case 0x500: // tty
        case 0x501: // console, which the container's cgroup keeps from being opened
            return true;
    }
    return false;
}

/// Returns 0, or the errno value that mknod(2) fails with.
static int split_path(struct node *node) {
    char *slash = strrchr(node->path, '/');
    node->name = slash ? slash + 1 : node->path;
    node->folder = !slash ? "." : slash == node->path ? "/" : node->path;
    if (slash && slash != node->path) *slash = 0;
    if (strcmp(node->name, ".") == 0 || strcmp(node->name, "..") == 0) return EEXIST;
    return *node->name ? 0 : slash == node->path && !node->path[1] ? EEXIST : ENOENT;
}

/// The folder is found and judged with the caller's rights, the node made in just that one with ours: where a path leads
/// is never asked with the rights of the host.
static int make_node(const struct call *call, const struct caller *caller, int start, const struct node *node,
                     mode_t mode, unsigned device) {
    AUTO_CLOSE int folder = open_as_caller(caller, start, node->folder, O_DIRECTORY, W_OK | X_OK);
    if (folder < 0) return errno;
    if (!call_waits(call)) return EINTR;
    if (create_as_caller(caller, CAP_MKNOD) < 0) return EPERM;
    return mknodat(folder, node->name, mode, makedev(device >> 8, device & 0xff)) < 0 ? errno : 0;
}

int act_mknod(const struct call *call) {
    bool at = kind_of_call(call) == CALL_MKNODAT;
    const __u64 *arguments = call->notice.data.args + (at ? 1 : 0);
    // As wide as the kernel takes them.
    mode_t mode = (uint16_t)arguments[1];
    unsigned device = (unsigned)arguments[2];
    if (!S_ISCHR(mode) || !is_harmless(device)) return VERDICT_CONTINUE;
    struct caller caller;
    if (read_caller(call, &caller) < 0 || !caller_may(&caller, CAP_MKNOD)) return VERDICT_CONTINUE;
    struct node node;
    int error = read_caller_text(call, arguments[0], node.path, sizeof node.path, ENAMETOOLONG);
    if (!error) error = split_path(&node);
    if (error) return error;
    AUTO_CLOSE int start = open_start(call, at ? (int)call->notice.data.args[0] : AT_FDCWD);
    // An absolute path takes any number for the folder.
    if (start < 0 && node.folder[0] != '/') return errno;
    return make_node(call, &caller, start, &node, mode, device);
}
