// mount(2), loop(4), and whether a file system can be mounted id-mapped
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "worker.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

struct mount_job {
    struct job job;
    char *source, *target, *type, *data;
    int flags;
};

static int run_mount(struct job *job) {
    struct mount_job *mount_ = (struct mount_job *)job;
    int done = mount(mount_->source, mount_->target, mount_->type, (unsigned)mount_->flags, mount_->data);
    return done < 0 ? errno : 0;
}

static int run_unmount(struct job *job) {
    struct mount_job *mount_ = (struct mount_job *)job;
    return umount2(mount_->target, mount_->flags) < 0 ? errno : 0;
}

static void release_mount(struct job *job) {
    struct mount_job *mount_ = (struct mount_job *)job;
    free(mount_->source);
    free(mount_->target);
    free(mount_->type);
    free(mount_->data);
    free(mount_);
}

static napi_value start_mount(napi_env env, napi_callback_info info) {
    napi_value arguments[5];
    struct mount_job *mount_ = calloc(1, sizeof *mount_);
    if (!mount_) return throw_error(env, ENOMEM, "mount");
    mount_->job = (struct job){.run = run_mount, .release = release_mount, .call = "mount"};
    if (!get_arguments(env, info, arguments, 5) || !get_string(env, arguments[0], &mount_->source) ||
        !get_string(env, arguments[1], &mount_->target) || !get_string(env, arguments[2], &mount_->type) ||
        !get_int(env, arguments[3], &mount_->flags) || !get_string(env, arguments[4], &mount_->data)) {
        release_mount(&mount_->job);
        return NULL;
    }
    return start_job(env, &mount_->job);
}

static napi_value start_unmount(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    struct mount_job *mount_ = calloc(1, sizeof *mount_);
    if (!mount_) return throw_error(env, ENOMEM, "umount2");
    mount_->job = (struct job){.run = run_unmount, .release = release_mount, .call = "umount2"};
    if (!get_arguments(env, info, arguments, 2) || !get_string(env, arguments[0], &mount_->target) ||
        !get_int(env, arguments[1], &mount_->flags)) {
        release_mount(&mount_->job);
        return NULL;
    }
    return start_job(env, &mount_->job);
}

/// Returns the device's descriptor, or -1 with errno set; EBUSY when another process took the device first.
static int configure_loop(const char *path, int file) {
    AUTO_CLOSE int device = open(path, O_RDWR | O_CLOEXEC);
    if (device < 0) return -1;
    struct loop_config config = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO};
    if (ioctl(device, LOOP_CONFIGURE, &config) < 0) {
        if (errno != EINVAL) return -1;
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        if (ioctl(device, LOOP_CONFIGURE, &config) < 0) return -1;
    }
    int result = device;
    device = -1;
    return result;
}

static napi_value attach_loop(napi_env env, napi_callback_info info) {
    napi_value argument, result;
    AUTO_FREE char *path = NULL;
    if (!get_arguments(env, info, &argument, 1) || !get_string(env, argument, &path)) return NULL;
    AUTO_CLOSE int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return throw_error(env, errno, "open");
    AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return throw_error(env, errno, "open /dev/loop-control");
    for (int tries = 0; tries < 64; tries++) {
        char device[32];
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0) return throw_error(env, errno, "LOOP_CTL_GET_FREE");
        snprintf(device, sizeof device, "/dev/loop%d", number);
        int descriptor = configure_loop(device, file);
        if (descriptor < 0 && errno == EBUSY) continue;
        if (descriptor < 0) return throw_error(env, errno, "LOOP_CONFIGURE");
        if (napi_create_object(env, &result) != napi_ok) return NULL;
        set_string(env, result, "device", device);
        set_number(env, result, "descriptor", descriptor);
        return result;
    }
    return throw_error(env, EBUSY, "LOOP_CONFIGURE");
}

// Shares the daemon's memory, so that nothing is copied; it must not touch any of it.
static int wait_to_be_killed(void *unused) {
    (void)unused;
    for (;;) syscall(SYS_pause);
    return 0;
}

static int write_map(pid_t pid, const char *name) {
    static const char map[] = "0 1000000 65536";
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    AUTO_CLOSE int file = open(path, O_WRONLY | O_CLOEXEC);
    return file >= 0 && write(file, map, sizeof map - 1) == sizeof map - 1 ? 0 : -1;
}

/// A user namespace with any map, to try with. Returns -1 with errno set.
static int open_mapped_user_namespace(void) {
    AUTO_FREE char *stack = malloc(65536);
    if (!stack) return -1;
    pid_t pid = clone(wait_to_be_killed, stack + 65536, CLONE_VM | CLONE_NEWUSER, NULL);
    if (pid < 0) return -1;
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    int users = -1;
    if (write_map(pid, "uid_map") == 0 && write_map(pid, "gid_map") == 0) users = open(path, O_RDONLY | O_CLOEXEC);
    int saved = errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) continue;
    errno = saved;
    return users;
}

static napi_value supports_idmapped_mounts(napi_env env, napi_callback_info info) {
    napi_value argument, result;
    int directory;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &directory)) return NULL;
    AUTO_CLOSE int tree =
        (int)syscall(SYS_open_tree, directory, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 && errno != ENOSYS) return throw_error(env, errno, "open_tree");
    AUTO_CLOSE int users = tree < 0 ? -1 : open_mapped_user_namespace();
    if (tree >= 0 && users < 0) return throw_error(env, errno, "clone");
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)users};
    bool supported =
        tree >= 0 && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0;
    napi_get_boolean(env, supported, &result);
    return result;
}

const struct function mount_functions[] = {
    {"mount", start_mount},
    {"unmount", start_unmount},
    {"attachLoop", attach_loop},
    {"supportsIdmappedMounts", supports_idmapped_mounts},
    FUNCTIONS_END,
};
