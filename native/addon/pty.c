// pty(7), ioctl_tty(2), pipe(2)
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "addon.h"

static int resize(int master, int columns, int rows) {
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
    return ioctl(master, TIOCSWINSZ, &size);
}

/// Unlocks and sizes the terminal of `master`, and opens its slave. Returns -1 with errno set.
static int open_slave(int master, int columns, int rows) {
    int locked = 0;
    if (ioctl(master, TIOCSPTLCK, &locked) < 0 || resize(master, columns, rows) < 0) return -1;
    return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static napi_value make_pty(napi_env env, int *master, int *slave) {
    napi_value result;
    if (napi_create_object(env, &result) != napi_ok) return NULL;
    set_number(env, result, "master", *master);
    set_number(env, result, "slave", *slave);
    *master = *slave = -1;
    return result;
}

static napi_value open_pty(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    int columns, rows;
    if (!get_arguments(env, info, arguments, 2) || !get_int(env, arguments[0], &columns) ||
        !get_int(env, arguments[1], &rows))
        return NULL;
    AUTO_CLOSE int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) return throw_error(env, errno, "open");
    AUTO_CLOSE int slave = open_slave(master, columns, rows);
    return slave < 0 ? throw_error(env, errno, "ioctl") : make_pty(env, &master, &slave);
}

static int open_in(int directory, const char *path, uint64_t flags) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/// Master of a new terminal in the devpts that process `pid` sees at /dev/pts. Returns -1 with errno set.
static int open_master_of(int pid) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/root", pid);
    AUTO_CLOSE int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return -1;
    AUTO_CLOSE int devpts = open_in(root, "dev/pts", O_PATH | O_DIRECTORY);
    struct statfs system;
    if (devpts < 0 || fstatfs(devpts, &system) < 0) return -1;
    // A device node of the guest's choosing must never be opened.
    if (system.f_type != DEVPTS_SUPER_MAGIC) {
        errno = ENODEV;
        return -1;
    }
    return open_in(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
}

static napi_value open_pty_of(napi_env env, napi_callback_info info) {
    napi_value arguments[5];
    int values[5];
    if (!get_arguments(env, info, arguments, 5)) return NULL;
    for (int i = 0; i < 5; i++)
        if (!get_int(env, arguments[i], &values[i])) return NULL;
    AUTO_CLOSE int master = open_master_of(values[0]);
    if (master < 0) return throw_error(env, errno, "open");
    AUTO_CLOSE int slave = open_slave(master, values[1], values[2]);
    if (slave < 0) return throw_error(env, errno, "ioctl");
    if (fchown(slave, (uid_t)values[3], (gid_t)values[4]) < 0) return throw_error(env, errno, "fchown");
    return make_pty(env, &master, &slave);
}

static napi_value set_window_size(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    int master, columns, rows;
    if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &master) ||
        !get_int(env, arguments[1], &columns) || !get_int(env, arguments[2], &rows))
        return NULL;
    return resize(master, columns, rows) < 0 ? throw_error(env, errno, "ioctl") : NULL;
}

const struct function pty_functions[] = {
    {"openPty", open_pty},
    {"openPtyOf", open_pty_of},
    {"setWindowSize", set_window_size},
    FUNCTIONS_END,
};
