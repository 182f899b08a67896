// Places of a container in the cgroup hierarchies.
#pragma once

#include <stdbool.h>

enum { MAX_CGROUPS = 32 };

/// True when the container's cgroup directory says that it is frozen or about to be (v1 freezer or v2).
bool cgroup_frozen(const char *directory);

/// Opens for writing the cgroup.procs file that a command joins: that of `directory` itself (v1), or of its leaf
/// `.lxc` (v2), because v2 allows no processes beside the guest's own subtrees. The leaf is made when missing.
int open_cgroup(const char *directory);
