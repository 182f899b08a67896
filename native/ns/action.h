#pragma once

#include <stdbool.h>

/// What CRIU runs at each step, by a link called "criu-step", because it gives no arguments: tells the daemon, which
/// listens on "socket" beside the link, and lets CRIU go on when that has done its part. The exit status is not 0 when
/// the daemon could not, or is gone.
int action(const char *link);

/// Whether a program was called by such a link.
bool is_action(const char *name);
