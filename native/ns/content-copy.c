#define _GNU_SOURCE
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include "system.h"
#include "tree-copy.h"

enum { CHUNK = 16 << 20, BUFFER = 1 << 18, NAMES = 1 << 16, VALUE = 1 << 16 };

static ssize_t copy_by_hand(int from, int to, off_t at, size_t length) {
    static char buffer[BUFFER];
    ssize_t got = pread(from, buffer, length < BUFFER ? length : BUFFER, at);
    for (ssize_t sent = 0, written; sent < got; sent += written)
        if ((written = pwrite(to, buffer + sent, (size_t)(got - sent), at + sent)) < 0) return -1;
    return got;
}

static ssize_t copy_part(int from, int to, off_t at, size_t length) {
    off_t in = at, out = at;
    ssize_t copied = copy_file_range(from, &in, to, &out, length < CHUNK ? length : CHUNK, 0);
    bool cannot = copied < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS);
    return cannot ? copy_by_hand(from, to, at, length) : copied;
}

static int copy_extent(struct tree_copy *copy, int from, int to, off_t at, off_t end) {
    while (at < end) {
        ssize_t copied = copy_part(from, to, at, (size_t)(end - at));
        if (copied < 0) return -1;
        if (copied == 0) return 0;
        at += copied;
        copy->done.bytes += (uint64_t)copied;
        if (tell_progress(copy) < 0) return -1;
    }
    return 0;
}

int copy_content(struct tree_copy *copy, int from, int to, int64_t size) {
    if (ioctl(to, FICLONE, from) == 0) {
        copy->done.bytes += (uint64_t)size;
        return 0;
    }
    for (off_t at = 0, end; at < size; at = end) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;
        if (data < 0) data = at;
        end = lseek(from, data, SEEK_HOLE);
        if (end < 0) end = size;
        if (copy_extent(copy, from, to, data, end) < 0) return -1;
    }
    return ftruncate(to, size);
}

/// Attributes whose loss is told; others, such as labels of the host's security module, are not the guest's.
static bool matters(const char *name) {
    return strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0 ||
           strcmp(name, "security.capability") == 0;
}

static int copy_attribute(struct tree_copy *copy, int from, int to, const char *name) {
    static char value[VALUE];
    ssize_t length = fgetxattr(from, name, value, sizeof value);
    if (length >= 0 && fsetxattr(to, name, value, (size_t)length, 0) == 0) return 0;
    if (errno == ENOSPC || errno == EDQUOT) return -1;
    if (matters(name)) copy->done.left_out++;
    return 0;
}

int copy_attributes(struct tree_copy *copy, int from, int to) {
    static char names[NAMES];
    fremovexattr(to, "system.posix_acl_access");
    fremovexattr(to, "system.posix_acl_default");
    ssize_t length = flistxattr(from, names, sizeof names);
    if (length < 0) return errno == EOPNOTSUPP ? 0 : -1;
    for (const char *name = names; name < names + length; name += strlen(name) + 1)
        if (copy_attribute(copy, from, to, name) < 0) return -1;
    return 0;
}
