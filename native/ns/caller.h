// Who made an intercepted call, and doing things as that process: with its files, its ids and its rights.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "intercepted-call.h"

enum { MOST_GROUPS = 1024 };

struct caller {
    int root, users, mounts;
    /// its user namespace is the container's own: not the host's, and not one that was made inside
    bool in_own_users;
    /// those that count for files, as the host numbers them
    uid_t uid;
    gid_t gid;
    gid_t groups[MOST_GROUPS];
    size_t group_count;
    mode_t umask;
    /// its number in its own pid namespace
    pid_t own_pid;
    /// effective capabilities in its user namespace, by bits
    uint64_t rights;
};

/// Returns 0, or -1 when something cannot be told: then nothing must be done for it.
int read_caller(const struct call *call, struct caller *caller);

/// True when it may do in its container what the capability is for.
bool caller_may(const struct caller *caller, int capability);

/// True when both ids, as the host numbers them, are some user's and some group's in the caller's container.
bool caller_has_ids(const struct call *call, uid_t uid, gid_t gid);

/// Where relative paths of the call begin: an open folder of the caller, or its working directory for AT_FDCWD. Returns a
/// descriptor, or -1 with errno set.
int open_start(const struct call *call, int folder);

/// Opens `path` (O_PATH, with further `flags`) in a process that has become the caller, and asks whether it may do
/// `access` to it, as in access(2). Returns a descriptor, or -1 with the errno value that the caller would have got.
int open_as_caller(const struct caller *caller, int start, const char *path, uint64_t flags, int access);

/// What this process makes from now on belongs to the caller; of the host's rights it keeps the one given and that to
/// pass by permissions. Returns 0 or -1.
int create_as_caller(const struct caller *caller, int capability);
