// Project quotas: quotactl_fd(2) finds the file system by a descriptor, where quotactl(2) wants its device.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "walk.h"
#include "worker.h"

/// dqb_bhardlimit counts in these
enum { limit_block = 1024 };

struct project_job {
    struct job job;
    int folder;
    uint32_t id;
};

static long quota(int folder, unsigned verb, uint32_t id, struct if_dqblk *block) {
    return syscall(SYS_quotactl_fd, folder, QCMD(verb, PRJQUOTA), id, block);
}

static bool get_project_id(napi_env env, napi_value value, uint32_t *id) {
    int64_t number;
    if (!get_int64(env, value, &number)) return false;
    *id = (uint32_t)number;
    if (number == *id) return true;
    throw_error(env, EINVAL, "project id");
    return false;
}

static napi_value project_of(napi_env env, napi_callback_info info) {
    napi_value argument, result, inherited;
    int descriptor;
    struct fsxattr attributes;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &descriptor)) return NULL;
    if (ioctl(descriptor, FS_IOC_FSGETXATTR, &attributes) < 0) return throw_error(env, errno, "FS_IOC_FSGETXATTR");
    bool inherits = attributes.fsx_xflags & FS_XFLAG_PROJINHERIT;
    if (napi_create_object(env, &result) != napi_ok || napi_get_boolean(env, inherits, &inherited) != napi_ok)
        return NULL;
    set_number(env, result, "id", attributes.fsx_projid);
    set_member(env, result, "inherited", inherited);
    return result;
}

/// Links and special files have no project: they take no space.
static int set_one(const void *context, int file, const struct stat *stat) {
    const uint32_t *id = context;
    bool folder = S_ISDIR(stat->st_mode);
    if (!folder && !S_ISREG(stat->st_mode)) return 0;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    AUTO_CLOSE int opened = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct fsxattr attributes;
    if (opened < 0 || ioctl(opened, FS_IOC_FSGETXATTR, &attributes) < 0) return errno;
    attributes.fsx_projid = *id;
    if (folder) attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    return ioctl(opened, FS_IOC_FSSETXATTR, &attributes) < 0 ? errno : 0;
}

static int run_set(struct job *job) {
    struct project_job *project = (struct project_job *)job;
    return walk_tree(project->folder, set_one, &project->id);
}

static void release_set(struct job *job) {
    struct project_job *project = (struct project_job *)job;
    if (project->folder >= 0) close(project->folder);
    free(project);
}

static napi_value set_project(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    int folder;
    uint32_t id;
    if (!get_arguments(env, info, arguments, 2) || !get_int(env, arguments[0], &folder) ||
        !get_project_id(env, arguments[1], &id))
        return NULL;
    struct project_job *project = calloc(1, sizeof *project);
    if (!project) return throw_error(env, ENOMEM, "setProject");
    *project = (struct project_job){
        .job = {.run = run_set, .release = release_set, .call = "FS_IOC_FSSETXATTR"},
        .folder = fcntl(folder, F_DUPFD_CLOEXEC, 3),
        .id = id,
    };
    return start_job(env, &project->job);
}

static napi_value project_usage(napi_env env, napi_callback_info info) {
    napi_value arguments[2], result;
    int folder;
    uint32_t id;
    struct if_dqblk block = {0};
    if (!get_arguments(env, info, arguments, 2) || !get_int(env, arguments[0], &folder) ||
        !get_project_id(env, arguments[1], &id))
        return NULL;
    // ENOENT: counted, but nothing is there yet. ESRCH: not switched on. The others: not built in.
    if (quota(folder, Q_GETQUOTA, id, &block) < 0 && errno != ENOENT) {
        bool lacking = errno == ESRCH || errno == ENOSYS || errno == ENOTSUP || errno == EINVAL || errno == ENOTBLK;
        return lacking ? NULL : throw_error(env, errno, "quotactl_fd");
    }
    if (napi_create_object(env, &result) != napi_ok) return NULL;
    set_number(env, result, "used", (double)block.dqb_curspace);
    if (block.dqb_bhardlimit) set_number(env, result, "limit", (double)block.dqb_bhardlimit * limit_block);
    return result;
}

static napi_value limit_project(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    int folder;
    uint32_t id;
    int64_t bytes = 0;
    if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &folder) ||
        !get_project_id(env, arguments[1], &id) ||
        (!is_absent(env, arguments[2]) && !get_int64(env, arguments[2], &bytes)))
        return NULL;
    struct if_dqblk block = {
        .dqb_bhardlimit = ((uint64_t)bytes + limit_block - 1) / limit_block,
        .dqb_valid = QIF_BLIMITS,
    };
    return quota(folder, Q_SETQUOTA, id, &block) < 0 ? throw_error(env, errno, "quotactl_fd") : NULL;
}

const struct function quota_functions[] = {
    {"projectOf", project_of},
    {"setProject", set_project},
    {"projectUsage", project_usage},
    {"limitProject", limit_project},
    FUNCTIONS_END,
};
