// Subvolumes, snapshots and quota of btrfs (linux/btrfs.h)
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "btrfs-tree.h"
#include "worker.h"

struct btrfs_job {
    struct job job;
    /// duplicates, so that the caller may close its own
    int descriptor, source;
    char *name;
    bool flag;
    uint64_t subvolume, bytes;
    struct qgroup qgroup;
    struct paths paths;
};

static void release(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    if (btrfs->descriptor >= 0) close(btrfs->descriptor);
    if (btrfs->source >= 0) close(btrfs->source);
    free(btrfs->name);
    free_paths(&btrfs->paths);
    free(btrfs);
}

static bool get_duplicate(napi_env env, napi_value value, int *out) {
    int descriptor;
    if (!get_int(env, value, &descriptor)) return false;
    *out = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    if (*out < 0) throw_error(env, errno, "fcntl");
    return *out >= 0;
}

/// A job on the descriptor in arguments[0], or NULL with an exception pending.
static struct btrfs_job *new_job(napi_env env, napi_callback_info info, napi_value *arguments, size_t count,
                                 int (*run)(struct job *), const char *call) {
    struct btrfs_job *btrfs = calloc(1, sizeof *btrfs);
    if (!btrfs) {
        throw_error(env, ENOMEM, call);
        return NULL;
    }
    btrfs->job = (struct job){.run = run, .release = release, .call = call};
    btrfs->descriptor = btrfs->source = -1;
    if (get_arguments(env, info, arguments, count) && get_duplicate(env, arguments[0], &btrfs->descriptor))
        return btrfs;
    release(&btrfs->job);
    return NULL;
}

static napi_value start_if(napi_env env, bool good, struct btrfs_job *btrfs) {
    if (good) return start_job(env, &btrfs->job);
    release(&btrfs->job);
    return NULL;
}

/// Copies the name to the kernel's buffer; returns 0 or an errno.
static int copy_name(char *to, size_t size, const char *name) {
    size_t length = strlen(name);
    if (length >= size) return ENAMETOOLONG;
    if (length == 0 || strchr(name, '/')) return EINVAL;
    memcpy(to, name, length + 1);
    return 0;
}

static int run_named(struct job *job, unsigned long request) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    struct btrfs_ioctl_vol_args arguments = {0};
    int error = copy_name(arguments.name, sizeof arguments.name, btrfs->name);
    if (error) return error;
    return ioctl(btrfs->descriptor, request, &arguments) < 0 ? errno : 0;
}

static int run_create(struct job *job) { return run_named(job, BTRFS_IOC_SUBVOL_CREATE); }
static int run_delete(struct job *job) { return run_named(job, BTRFS_IOC_SNAP_DESTROY); }

static napi_value create_subvolume(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 2, run_create, "BTRFS_IOC_SUBVOL_CREATE");
    return btrfs ? start_if(env, get_string(env, arguments[1], &btrfs->name), btrfs) : NULL;
}

static napi_value delete_subvolume(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 2, run_delete, "BTRFS_IOC_SNAP_DESTROY");
    return btrfs ? start_if(env, get_string(env, arguments[1], &btrfs->name), btrfs) : NULL;
}

static int run_snapshot(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    struct btrfs_ioctl_vol_args_v2 arguments = {
        .fd = btrfs->descriptor,
        .flags = btrfs->flag ? BTRFS_SUBVOL_RDONLY : 0,
    };
    int error = copy_name(arguments.name, sizeof arguments.name, btrfs->name);
    if (error) return error;
    return ioctl(btrfs->source, BTRFS_IOC_SNAP_CREATE_V2, &arguments) < 0 ? errno : 0;
}

static napi_value snapshot(napi_env env, napi_callback_info info) {
    napi_value arguments[4];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 4, run_snapshot, "BTRFS_IOC_SNAP_CREATE_V2");
    if (!btrfs) return NULL;
    bool good = get_duplicate(env, arguments[1], &btrfs->source) && get_string(env, arguments[2], &btrfs->name) &&
                get_bool(env, arguments[3], &btrfs->flag);
    return start_if(env, good, btrfs);
}

static int run_set_read_only(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    uint64_t flags;
    if (ioctl(btrfs->descriptor, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0) return errno;
    flags = btrfs->flag ? flags | BTRFS_SUBVOL_RDONLY : flags & ~(uint64_t)BTRFS_SUBVOL_RDONLY;
    return ioctl(btrfs->descriptor, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) < 0 ? errno : 0;
}

static napi_value set_read_only(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 2, run_set_read_only, "BTRFS_IOC_SUBVOL_SETFLAGS");
    return btrfs ? start_if(env, get_bool(env, arguments[1], &btrfs->flag), btrfs) : NULL;
}

static napi_value subvolume_id(napi_env env, napi_callback_info info) {
    napi_value argument;
    int descriptor;
    uint64_t id;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &descriptor)) return NULL;
    int error = read_subvolume_id(descriptor, &id);
    return error ? throw_error(env, error, "BTRFS_IOC_INO_LOOKUP") : make_number(env, (double)id);
}

static int run_list_nested(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    return list_nested_subvolumes(btrfs->descriptor, &btrfs->paths);
}

static napi_value nested_result(napi_env env, struct job *job) {
    const struct paths *paths = &((struct btrfs_job *)job)->paths;
    napi_value array;
    if (napi_create_array_with_length(env, paths->count, &array) != napi_ok) return NULL;
    for (unsigned i = 0; i < paths->count; i++) napi_set_element(env, array, i, make_string(env, paths->items[i]));
    return array;
}

static napi_value nested_subvolumes(napi_env env, napi_callback_info info) {
    napi_value argument;
    struct btrfs_job *btrfs = new_job(env, info, &argument, 1, run_list_nested, "BTRFS_IOC_TREE_SEARCH");
    if (!btrfs) return NULL;
    btrfs->job.result = nested_result;
    return start_job(env, &btrfs->job);
}

static int run_enable_quota(struct job *job) {
    struct btrfs_ioctl_quota_ctl_args arguments = {.cmd = BTRFS_QUOTA_CTL_ENABLE};
    return ioctl(((struct btrfs_job *)job)->descriptor, BTRFS_IOC_QUOTA_CTL, &arguments) < 0 ? errno : 0;
}

static napi_value enable_quota(napi_env env, napi_callback_info info) {
    napi_value argument;
    struct btrfs_job *btrfs = new_job(env, info, &argument, 1, run_enable_quota, "BTRFS_IOC_QUOTA_CTL");
    return btrfs ? start_job(env, &btrfs->job) : NULL;
}

static int run_set_limit(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    struct btrfs_ioctl_qgroup_limit_args arguments = {
        .qgroupid = btrfs->subvolume,
        // All bits set clears a limit (CLEAR_VALUE in the kernel's qgroup.c).
        .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = btrfs->flag ? btrfs->bytes : UINT64_MAX},
    };
    return ioctl(btrfs->descriptor, BTRFS_IOC_QGROUP_LIMIT, &arguments) < 0 ? errno : 0;
}

static bool get_unsigned(napi_env env, napi_value value, uint64_t *out) {
    int64_t number;
    if (!get_int64(env, value, &number)) return false;
    *out = (uint64_t)number;
    return true;
}

static napi_value set_limit(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 3, run_set_limit, "BTRFS_IOC_QGROUP_LIMIT");
    if (!btrfs) return NULL;
    btrfs->flag = !is_absent(env, arguments[2]);
    bool good = get_unsigned(env, arguments[1], &btrfs->subvolume) &&
                (!btrfs->flag || get_unsigned(env, arguments[2], &btrfs->bytes));
    return start_if(env, good, btrfs);
}

static int run_usage(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    return read_qgroup(btrfs->descriptor, btrfs->subvolume, &btrfs->qgroup);
}

static napi_value usage_result(napi_env env, struct job *job) {
    const struct qgroup *qgroup = &((struct btrfs_job *)job)->qgroup;
    napi_value usage;
    if (!qgroup->found || napi_create_object(env, &usage) != napi_ok) return NULL;
    set_number(env, usage, "referenced", (double)qgroup->referenced);
    set_number(env, usage, "exclusive", (double)qgroup->exclusive);
    if (qgroup->limited) set_number(env, usage, "limit", (double)qgroup->limit);
    return usage;
}

static napi_value usage(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 2, run_usage, "BTRFS_IOC_TREE_SEARCH");
    if (!btrfs) return NULL;
    btrfs->job.result = usage_result;
    return start_if(env, get_unsigned(env, arguments[1], &btrfs->subvolume), btrfs);
}

static bool parse_uuid(const char *text, char *uuid) {
    if (strlen(text) != (size_t)2 * BTRFS_UUID_SIZE) return false;
    for (int i = 0; i < BTRFS_UUID_SIZE; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) return false;
        uuid[i] = (char)byte;
    }
    return true;
}

static int run_set_received(struct job *job) {
    struct btrfs_job *btrfs = (struct btrfs_job *)job;
    struct btrfs_ioctl_received_subvol_args received = {0};
    if (!parse_uuid(btrfs->name, received.uuid)) return EINVAL;
    return ioctl(btrfs->descriptor, BTRFS_IOC_SET_RECEIVED_SUBVOL, &received) < 0 ? errno : 0;
}

static napi_value set_received(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    struct btrfs_job *btrfs = new_job(env, info, arguments, 2, run_set_received, "BTRFS_IOC_SET_RECEIVED_SUBVOL");
    return btrfs ? start_if(env, get_string(env, arguments[1], &btrfs->name), btrfs) : NULL;
}

const struct function btrfs_functions[] = {
    {"btrfsCreateSubvolume", create_subvolume},
    {"btrfsSnapshot", snapshot},
    {"btrfsDeleteSubvolume", delete_subvolume},
    {"btrfsSetReadOnly", set_read_only},
    {"btrfsSubvolumeId", subvolume_id},
    {"btrfsNestedSubvolumes", nested_subvolumes},
    {"btrfsEnableQuota", enable_quota},
    {"btrfsSetLimit", set_limit},
    {"btrfsUsage", usage},
    {"btrfsSetReceived", set_received},
    FUNCTIONS_END,
};
