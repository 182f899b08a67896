// Where intercepted calls come from: liblxc's monitor, or the listener of a command that joined the container. Each is
// served one call at a time, by a process of its own, because a guest can make what it asks for take for ever.
#pragma once

#include "intercepted-call.h"

/// Decides about a call; runs in a process of its own.
typedef int decider(const struct call *call);

/// Serves who connected. Closes `socket` when it cannot.
void add_connection(int socket, decider *decide);
/// A process ended.
void call_decided(int pid, int status);
/// Gives up on calls that take too long.
void end_slow_calls(void);
