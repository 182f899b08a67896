// How a command that joins a container hands its listener to the process that decides about intercepted calls.
#pragma once

/// Returns a socket, or -1 when nobody listens at `path`: then the command goes without. Never waits.
int connect_interceptor(const char *path);
/// Sends the listener. Nobody is left to tell when that fails; the kernel then answers what the filter passes on.
void hand_over_listener(int socket, int listener);
