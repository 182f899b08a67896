// Datagrams of a proxy: each client address has a socket of its own towards the target.
#pragma once

#include "proxy-address.h"

/// Passes on what has come on a listening datagram socket. `listener` stays the caller's.
void take_datagrams(int listener, const struct address *target);
/// Ends what has been silent for a minute.
void end_silent_sessions(void);
