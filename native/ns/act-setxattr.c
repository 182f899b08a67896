#define _GNU_SOURCE
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "act.h"
#include "caller.h"
#include "system.h"

static const char opaque[] = "trusted.overlay.opaque";

/// Which file it is is found with the caller's rights; the mark is then set on just that one. Only on what belongs to
/// the container: its root has no such rights over files of the host.
static int mark(const struct call *call, const struct caller *caller, int start, const char *path, int flags) {
    AUTO_CLOSE int file = open_as_caller(caller, start, path, 0, W_OK);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) return errno;
    bool fits = S_ISDIR(status.st_mode) || S_ISREG(status.st_mode);
    if (!fits || !caller_has_ids(call, status.st_uid, status.st_gid)) return VERDICT_CONTINUE;
    if (!call_waits(call)) return EINTR;
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    return setxattr(name, opaque, "y", 1, flags) < 0 ? errno : 0;
}

int act_setxattr(const struct call *call) {
    const __u64 *arguments = call->notice.data.args;
    char name[sizeof opaque], value, path[PATH_MAX];
    int flags = (int)arguments[4];
    if (arguments[3] != 1 || (flags != 0 && flags != XATTR_CREATE && flags != XATTR_REPLACE)) return VERDICT_CONTINUE;
    if (read_caller_text(call, arguments[1], name, sizeof name, ERANGE) || strcmp(name, opaque) != 0)
        return VERDICT_CONTINUE;
    if (read_caller_bytes(call, arguments[2], &value, 1) || value != 'y') return VERDICT_CONTINUE;
    struct caller caller;
    if (read_caller(call, &caller) < 0 || !caller_may(&caller, CAP_SYS_ADMIN)) return VERDICT_CONTINUE;
    int error = read_caller_text(call, arguments[0], path, sizeof path, ENAMETOOLONG);
    if (error) return error;
    AUTO_CLOSE int start = open_start(call, AT_FDCWD);
    return start < 0 ? errno : mark(call, &caller, start, path, flags);
}
