// Reads of btrfs trees that no ioctl of their own gives (BTRFS_IOC_TREE_SEARCH, needs CAP_SYS_ADMIN).
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Sets `found` to false when quota is off or knows no such subvolume. Returns 0 or an errno.
int read_qgroup(int descriptor, uint64_t subvolume, bool *found, uint64_t *referenced, uint64_t *exclusive);
int read_subvolume_id(int descriptor, uint64_t *id);

struct paths {
    char **items;
    unsigned count;
};
void free_paths(struct paths *paths);
/// All subvolumes below the subvolume that `descriptor` is the root of, parents first. Returns 0 or an errno.
int list_nested_subvolumes(int descriptor, struct paths *paths);
