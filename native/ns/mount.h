// Mounts plugged into and out of a running container.
#pragma once

#include "job.h"
#include "message.h"
#include "target.h"

enum {
    MOUNT_READ_ONLY = 1,
    MOUNT_IDMAPPED = 2,
    MOUNT_RECURSIVE = 4,
    MOUNT_IS_FILE = 8,
    MOUNT_NO_EXEC = 16,
    MOUNT_NO_SUID = 32,
    MOUNT_NO_DEV = 64,
    MOUNT_NO_ATIME = 128,
    MOUNT_SHARED = 256,
    MOUNT_SLAVE = 512,
    MOUNT_UNBINDABLE = 1024,
};

struct mount_request {
    struct target target;
    uint32_t flags;
    /// absolute path on the host; unused when unmounting
    const char *source;
    /// absolute path in the container
    const char *place;
};

/// Fields: target, u32 flags, string source, string place. Returns 0 or an errno value.
int parse_mount(const struct request *request, struct mount_request *mount);

/// Both run in a process forked for it and never return.
void __attribute__((noreturn)) mount_into(const struct mount_request *mount, const struct report *report);
/// Succeeds when nothing is mounted there.
void __attribute__((noreturn)) unmount_from(const struct mount_request *mount, const struct report *report);
