// Reads of btrfs trees that no ioctl of their own gives (BTRFS_IOC_TREE_SEARCH, needs CAP_SYS_ADMIN).
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Bytes of a subvolume; `found` is false when quota is off or knows no such subvolume.
struct qgroup {
    bool found, limited;
    uint64_t referenced, exclusive, limit;
};
/// Returns 0 or an errno.
int read_qgroup(int descriptor, uint64_t subvolume, struct qgroup *qgroup);
int read_subvolume_id(int descriptor, uint64_t *id);

struct paths {
    char **items;
    unsigned count;
};
void free_paths(struct paths *paths);
/// All subvolumes below the subvolume that `descriptor` is the root of, parents first. Returns 0 or an errno.
int list_nested_subvolumes(int descriptor, struct paths *paths);
