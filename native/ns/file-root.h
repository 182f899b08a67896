// Makes an instance's root file system this process's own root, with no more rights than its root user has.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

/// Where the container's ids lie on the host; `size` 0 means a container without a user namespace.
struct id_range {
    uint32_t host_base, size;
    /// the files have the host's ids: they are not mounted shifted
    bool on_disk;
};

/// Both return 0, or -1 with errno and `*stage` saying what was tried.
int enter_running(const struct target *target, const char **stage);
int enter_stopped(const char *rootfs, const struct id_range *ids, const char **stage);

/// A user namespace with these lines as both of its maps (user_namespaces(7)): its descriptor, or -1.
int create_user_namespace(const char *map);
