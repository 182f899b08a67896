// The AppArmor label of a container's init, which commands that join it get when they are executed.
#pragma once

#include "target.h"

/// Reads the label while the host's /proc is in sight. Returns 0, also when there is none; -1 with errno set.
int read_label(const struct target *target);

/// Asks the kernel to give this process the label at its next execve. Returns 0, or -1 with errno set.
int apply_label_at_exec(void);
