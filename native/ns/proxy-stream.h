// Connections of a proxy: bytes of streams go through the kernel's pipes, never through this process's memory.
#pragma once

#include <stdbool.h>

#include "proxy-address.h"

/// Takes an accepted connection on, whose other end will be at `target`. `announce` sends a PROXY line first. The
/// descriptor belongs to the connection from here on, also when it cannot be made.
void begin_stream(int accepted, const struct address *target, bool announce);
