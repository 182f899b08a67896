// Makes an instance's root file system this process's own root, with no more rights than its root user has.
#pragma once

#include <stdint.h>

#include "target.h"

/// Both return 0, or -1 with errno and `*stage` saying what was tried.
int enter_running(const struct target *target, const char **stage);
/// `size` 0 means a container without a user namespace.
int enter_stopped(const char *rootfs, uint32_t host_base, uint32_t size, const char **stage);

/// A user namespace with these lines as both of its maps (user_namespaces(7)): its descriptor, or -1.
int create_user_namespace(const char *map);
