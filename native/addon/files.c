// Files beneath a directory: openat2(2) and the *at calls
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "addon.h"

static napi_value open_beneath(napi_env env, napi_callback_info info) {
    napi_value arguments[5];
    AUTO_FREE char *path = NULL;
    int directory, flags, mode = 0;
    bool follow;
    if (!get_arguments(env, info, arguments, 5) || !get_int(env, arguments[0], &directory) ||
        !get_string(env, arguments[1], &path) || !get_int(env, arguments[2], &flags) ||
        (!is_absent(env, arguments[3]) && !get_int(env, arguments[3], &mode)) || !get_bool(env, arguments[4], &follow))
        return NULL;
    bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        // openat2 refuses a mode that would have no effect.
        .mode = creates ? (uint64_t)mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (follow ? 0 : RESOLVE_NO_SYMLINKS),
    };
    int descriptor;
    // EAGAIN: something was renamed during the walk, openat2(2).
    int tries = 16;
    do descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    while (descriptor < 0 && errno == EAGAIN && tries-- > 0);
    return descriptor < 0 ? throw_error(env, errno, "openat2") : make_int(env, descriptor);
}

static napi_value mkdir_at(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    AUTO_FREE char *name = NULL;
    int directory, mode;
    if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &directory) ||
        !get_string(env, arguments[1], &name) || !get_int(env, arguments[2], &mode))
        return NULL;
    return mkdirat(directory, name, (mode_t)mode) < 0 ? throw_error(env, errno, "mkdirat") : NULL;
}

static napi_value unlink_at(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    AUTO_FREE char *name = NULL;
    int directory;
    bool is_directory;
    if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &directory) ||
        !get_string(env, arguments[1], &name) || !get_bool(env, arguments[2], &is_directory))
        return NULL;
    int flags = is_directory ? AT_REMOVEDIR : 0;
    return unlinkat(directory, name, flags) < 0 ? throw_error(env, errno, "unlinkat") : NULL;
}

static napi_value rename_with(napi_env env, napi_callback_info info, unsigned flags) {
    napi_value arguments[4];
    AUTO_FREE char *from = NULL;
    AUTO_FREE char *to = NULL;
    int directory, to_directory;
    if (!get_arguments(env, info, arguments, 4) || !get_int(env, arguments[0], &directory) ||
        !get_string(env, arguments[1], &from) || !get_int(env, arguments[2], &to_directory) ||
        !get_string(env, arguments[3], &to))
        return NULL;
    return renameat2(directory, from, to_directory, to, flags) < 0 ? throw_error(env, errno, "renameat2") : NULL;
}

static napi_value rename_at(napi_env env, napi_callback_info info) { return rename_with(env, info, 0); }

static napi_value exchange_at(napi_env env, napi_callback_info info) {
    return rename_with(env, info, RENAME_EXCHANGE);
}

static napi_value make_node(napi_env env, napi_callback_info info) {
    napi_value arguments[4];
    AUTO_FREE char *path = NULL;
    int mode, major, minor;
    if (!get_arguments(env, info, arguments, 4) || !get_string(env, arguments[0], &path) ||
        !get_int(env, arguments[1], &mode) || !get_int(env, arguments[2], &major) ||
        !get_int(env, arguments[3], &minor))
        return NULL;
    dev_t device = makedev((unsigned)major, (unsigned)minor);
    return mknod(path, (mode_t)mode, device) < 0 ? throw_error(env, errno, "mknod") : NULL;
}

static napi_value file_system_type(napi_env env, napi_callback_info info) {
    napi_value argument;
    int descriptor;
    struct statfs system;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &descriptor)) return NULL;
    if (fstatfs(descriptor, &system) < 0) return throw_error(env, errno, "fstatfs");
    return make_number(env, (double)(uint32_t)system.f_type);
}

const struct function file_functions[] = {
    {"openBeneath", open_beneath}, {"mkdirAt", mkdir_at},       {"unlinkAt", unlink_at},
    {"renameAt", rename_at},       {"exchangeAt", exchange_at}, {"fileSystemType", file_system_type},
    {"makeNode", make_node},
    FUNCTIONS_END,
};
