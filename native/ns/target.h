// The container that a request is about, named so that a recycled pid is never entered.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "message.h"

struct target {
    pid_t init;
    /// field 22 of /proc/PID/stat
    uint64_t start_time;
};

struct target read_target(struct reader *reader);

/// Opens a pidfd of the container's init. Fails with ESRCH when that process is not the one that was meant.
int open_target(const struct target *target);

/// Namespaces to join with setns(2): `wanted`, less the user namespace when the container shares ours (setns refuses
/// to enter the one that the caller is in).
int target_namespaces(const struct target *target, int wanted);

/// Descriptor of the user namespace of init, or -1 with errno 0 when it is ours.
int open_user_namespace(const struct target *target);

/// Takes over the resource limits and the OOM score of init, so that the daemon's own do not leak into the guest.
int adopt_limits(const struct target *target);
