// Ids on disk where mounts cannot shift them: owners, POSIX ACLs and the root of file capabilities of a whole tree are
// moved between a container's own ids and its range on the host. An attribute of the volume's top folder says which of
// the two a tree has: it is copied with it, and no guest can see or change it.
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "walk.h"
#include "worker.h"

#define ACL_SIZE 65536
#define MARK "trusted.lxd_like.ids"

/// Moves ids of a range that begins at `from` to one that begins at `to`.
struct shift {
    uint32_t from, to, size;
};

/// Host ids from `base` on; the container's own when `size` is 0.
struct ids {
    uint32_t base, size;
};

struct align_job {
    struct job job;
    int directory;
    char *folder;
    struct ids wanted;
};

static bool in_range(const struct shift *shift, uint32_t id) { return id - shift->from < shift->size; }

/// Ids outside the range stay: they are shifted already, or nobody's.
static uint32_t shifted(const struct shift *shift, uint32_t id) {
    return in_range(shift, id) ? id - shift->from + shift->to : id;
}

struct acl_entry {
    uint16_t tag, permissions;
    uint32_t id;
};

/// acl(5): a version, then entries of which those of named users (2) and groups (8) have an id.
static int shift_acl(const struct shift *shift, const char *path, const char *name) {
    AUTO_FREE char *value = malloc(ACL_SIZE);
    if (!value) return ENOMEM;
    ssize_t length = getxattr(path, name, value, ACL_SIZE);
    if (length < 0) return errno == ENODATA || errno == EOPNOTSUPP ? 0 : errno;
    bool changed = false;
    for (ssize_t at = sizeof(uint32_t); at + (ssize_t)sizeof(struct acl_entry) <= length;
         at += sizeof(struct acl_entry)) {
        struct acl_entry entry;
        memcpy(&entry, value + at, sizeof entry);
        uint16_t tag = le16toh(entry.tag);
        if ((tag != 2 && tag != 8) || !in_range(shift, le32toh(entry.id))) continue;
        entry.id = htole32(shifted(shift, le32toh(entry.id)));
        memcpy(value + at, &entry, sizeof entry);
        changed = true;
    }
    return changed && setxattr(path, name, value, (size_t)length, 0) < 0 ? errno : 0;
}

/// Capabilities of a file count for the user namespace whose root they name; those of the host name none.
static int write_capability(const char *path, struct vfs_ns_cap_data *data, uint32_t root) {
    uint32_t flags = le32toh(data->magic_etc) & VFS_CAP_FLAGS_EFFECTIVE;
    data->magic_etc = htole32(flags | (root ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2));
    data->rootid = htole32(root);
    size_t size = root ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2;
    return setxattr(path, "security.capability", data, size, 0) < 0 ? errno : 0;
}

/// chown(2) takes set-id bits and capabilities away: they are put back.
static int shift_owner(const struct shift *shift, int file, const char *path, const struct stat *stat) {
    struct vfs_ns_cap_data data = {0};
    bool regular = S_ISREG(stat->st_mode);
    ssize_t length = regular ? getxattr(path, "security.capability", &data, sizeof data) : -1;
    if (fchownat(file, "", shifted(shift, stat->st_uid), shifted(shift, stat->st_gid), AT_EMPTY_PATH) < 0) return errno;
    if (regular && (stat->st_mode & (S_ISUID | S_ISGID)) && chmod(path, stat->st_mode & 07777) < 0) return errno;
    return length >= (ssize_t)XATTR_CAPS_SZ_2 ? write_capability(path, &data, shift->to) : 0;
}

static int shift_one(const void *context, int file, const struct stat *stat) {
    const struct shift *shift = context;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int error = 0;
    if (!S_ISLNK(stat->st_mode)) error = shift_acl(shift, path, "system.posix_acl_access");
    if (!error && S_ISDIR(stat->st_mode)) error = shift_acl(shift, path, "system.posix_acl_default");
    if (error || (!in_range(shift, stat->st_uid) && !in_range(shift, stat->st_gid))) return error;
    return shift_owner(shift, file, path, stat);
}

static int read_mark(int directory, struct ids *ids) {
    char text[32];
    *ids = (struct ids){0};
    ssize_t length = fgetxattr(directory, MARK, text, sizeof text - 1);
    if (length < 0) return errno == ENODATA || errno == EOPNOTSUPP ? 0 : errno;
    text[length] = 0;
    return sscanf(text, "%u %u", &ids->base, &ids->size) == 2 ? 0 : EUCLEAN;
}

static int write_mark(int directory, const struct ids *ids) {
    char text[32];
    if (ids->size == 0) return fremovexattr(directory, MARK) < 0 && errno != ENODATA ? errno : 0;
    int length = snprintf(text, sizeof text, "%u %u", ids->base, ids->size);
    return fsetxattr(directory, MARK, text, (size_t)length, 0) < 0 ? errno : 0;
}

/// By way of the container's own ids, so that ranges may overlap and an interruption can be gone on from.
static int run_align(struct job *job) {
    struct align_job *align = (struct align_job *)job;
    struct ids *wanted = &align->wanted, current;
    int error = read_mark(align->directory, &current);
    if (error || (current.base == wanted->base && current.size == wanted->size)) return error;
    AUTO_CLOSE int folder = openat(align->directory, align->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return errno;
    if (current.size) {
        struct shift back = {.from = current.base, .to = 0, .size = current.size};
        error = walk_tree(folder, shift_one, &back);
        if (!error) error = write_mark(align->directory, &(struct ids){0});
    }
    if (error || !wanted->size) return error;
    struct shift forth = {.from = 0, .to = wanted->base, .size = wanted->size};
    error = walk_tree(folder, shift_one, &forth);
    return error ? error : write_mark(align->directory, wanted);
}

static void release_align(struct job *job) {
    struct align_job *align = (struct align_job *)job;
    if (align->directory >= 0) close(align->directory);
    free(align->folder);
    free(align);
}

static napi_value start_align(napi_env env, napi_callback_info info) {
    napi_value arguments[4];
    AUTO_FREE char *folder = NULL;
    int directory;
    int64_t base, size;
    if (!get_arguments(env, info, arguments, 4) || !get_int(env, arguments[0], &directory) ||
        !get_string(env, arguments[1], &folder) || !get_int64(env, arguments[2], &base) ||
        !get_int64(env, arguments[3], &size))
        return NULL;
    if (base < 0 || size < 0 || base + size > UINT32_MAX || strchr(folder, '/'))
        return throw_error(env, EINVAL, "alignIds");
    struct align_job *align = calloc(1, sizeof *align);
    if (!align) return throw_error(env, ENOMEM, "alignIds");
    *align = (struct align_job){
        .job = {.run = run_align, .release = release_align, .call = "alignIds"},
        .directory = fcntl(directory, F_DUPFD_CLOEXEC, 3),
        .folder = folder,
        .wanted = {.base = size ? (uint32_t)base : 0, .size = (uint32_t)size},
    };
    folder = NULL;
    return start_job(env, &align->job);
}

const struct function shift_functions[] = {
    {"alignIds", start_align},
    FUNCTIONS_END,
};
