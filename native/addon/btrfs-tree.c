#include "btrfs-tree.h"

#include <endian.h>
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"

/// Deeper nesting is taken for a loop in broken metadata.
#define MAX_DEPTH 64
#define PATH_SIZE 8192

int read_subvolume_id(int descriptor, uint64_t *id) {
    struct btrfs_ioctl_ino_lookup_args lookup = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
    if (ioctl(descriptor, BTRFS_IOC_INO_LOOKUP, &lookup) < 0) return errno;
    *id = lookup.treeid;
    return 0;
}

/// Reads the item of qgroup 0/`subvolume`; `found` is false when quota is off or there is none.
static int read_quota_item(int descriptor, uint32_t type, uint64_t subvolume, void *item, size_t size, bool *found) {
    struct btrfs_ioctl_search_args search = {
        .key = {.tree_id = BTRFS_QUOTA_TREE_OBJECTID,
                .min_type = type,
                .max_type = type,
                .min_offset = subvolume,
                .max_offset = subvolume,
                .max_transid = UINT64_MAX,
                .nr_items = 1}};
    *found = false;
    if (ioctl(descriptor, BTRFS_IOC_TREE_SEARCH, &search) < 0) return errno == ENOENT ? 0 : errno;
    if (search.key.nr_items == 0) return 0;
    struct btrfs_ioctl_search_header header;
    memcpy(&header, search.buf, sizeof header);
    if (header.len < size) return EUCLEAN;
    memcpy(item, search.buf + sizeof header, size);
    *found = true;
    return 0;
}

int read_qgroup(int descriptor, uint64_t subvolume, struct qgroup *qgroup) {
    struct btrfs_qgroup_info_item info;
    struct btrfs_qgroup_limit_item limit;
    int error = read_quota_item(descriptor, BTRFS_QGROUP_INFO_KEY, subvolume, &info, sizeof info, &qgroup->found);
    if (error || !qgroup->found) return error;
    qgroup->referenced = le64toh(info.rfer);
    qgroup->exclusive = le64toh(info.excl);
    error = read_quota_item(descriptor, BTRFS_QGROUP_LIMIT_KEY, subvolume, &limit, sizeof limit, &qgroup->limited);
    if (error || !qgroup->limited) return error;
    qgroup->limited = le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER;
    qgroup->limit = le64toh(limit.max_rfer);
    return 0;
}

void free_paths(struct paths *paths) {
    for (unsigned i = 0; i < paths->count; i++) free(paths->items[i]);
    free(paths->items);
    *paths = (struct paths){0};
}

static int add_path(struct paths *paths, const char *path) {
    char **items = realloc(paths->items, (paths->count + 1) * sizeof *items);
    if (!items) return ENOMEM;
    paths->items = items;
    items[paths->count] = strdup(path);
    return items[paths->count] ? (paths->count++, 0) : ENOMEM;
}

/// Writes the path of a child, relative to where the walk began, to `path` (PATH_SIZE bytes).
static int child_path(int descriptor, uint64_t parent, const char *prefix, const char *item, size_t length,
                      char *path) {
    struct btrfs_root_ref ref;
    if (length < sizeof ref) return EUCLEAN;
    memcpy(&ref, item, sizeof ref);
    size_t name_length = le16toh(ref.name_len);
    if (length < sizeof ref + name_length) return EUCLEAN;
    struct btrfs_ioctl_ino_lookup_args folder = {.treeid = parent, .objectid = le64toh(ref.dirid)};
    if (ioctl(descriptor, BTRFS_IOC_INO_LOOKUP, &folder) < 0) return errno;
    // The folder's name ends in a slash unless it is the subvolume itself.
    int written = snprintf(path, PATH_SIZE, "%s%s%s%.*s", prefix, *prefix ? "/" : "", folder.name, (int)name_length,
                           item + sizeof ref);
    return written < PATH_SIZE ? 0 : ENAMETOOLONG;
}

static int walk(int descriptor, uint64_t parent, const char *prefix, int depth, struct paths *paths);

static int walk_items(int descriptor, uint64_t parent, const char *prefix, int depth,
                      struct btrfs_ioctl_search_args *search, struct paths *paths) {
    AUTO_FREE char *path = malloc(PATH_SIZE);
    if (!path) return ENOMEM;
    size_t at = 0;
    for (unsigned i = 0; i < search->key.nr_items; i++) {
        struct btrfs_ioctl_search_header header;
        memcpy(&header, search->buf + at, sizeof header);
        const char *item = search->buf + at + sizeof header;
        at += sizeof header + header.len;
        search->key.min_offset = header.offset + 1;
        // The search gives all keys between two, other types among them.
        if (header.type != BTRFS_ROOT_REF_KEY || header.objectid != parent) continue;
        int error = child_path(descriptor, parent, prefix, item, header.len, path);
        if (error == ENOENT) continue; // deleted meanwhile
        if (!error) error = add_path(paths, path);
        if (!error) error = walk(descriptor, header.offset, path, depth + 1, paths);
        if (error) return error;
    }
    return 0;
}

static int walk(int descriptor, uint64_t parent, const char *prefix, int depth, struct paths *paths) {
    if (depth > MAX_DEPTH) return ELOOP;
    AUTO_FREE struct btrfs_ioctl_search_args *search = malloc(sizeof *search);
    if (!search) return ENOMEM;
    uint64_t next = 0;
    for (;;) {
        memset(search, 0, sizeof *search);
        search->key = (struct btrfs_ioctl_search_key){
            .tree_id = BTRFS_ROOT_TREE_OBJECTID,
            .min_objectid = parent,
            .max_objectid = parent,
            .min_type = BTRFS_ROOT_REF_KEY,
            .max_type = BTRFS_ROOT_REF_KEY,
            .min_offset = next,
            .max_offset = UINT64_MAX,
            .max_transid = UINT64_MAX,
            .nr_items = 4096,
        };
        if (ioctl(descriptor, BTRFS_IOC_TREE_SEARCH, search) < 0) return errno;
        if (search->key.nr_items == 0) return 0;
        int error = walk_items(descriptor, parent, prefix, depth, search, paths);
        if (error) return error;
        next = search->key.min_offset;
    }
}

int list_nested_subvolumes(int descriptor, struct paths *paths) {
    uint64_t id;
    int error = read_subvolume_id(descriptor, &id);
    return error ? error : walk(descriptor, id, "", 0, paths);
}
