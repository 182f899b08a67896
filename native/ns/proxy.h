// Forwards connections between the host and one container for as long as the container runs.
#pragma once

/// `arguments` are READY_FD PID START_TIME host|instance UID GID USER_PROTOCOL SOCKET_UID SOCKET_GID SOCKET_MODE and then
/// pairs of addresses, LISTEN CONNECT. The side named listens, the other one is connected to. UID and GID are what the
/// process becomes, "-" to stay root. USER_PROTOCOL is 1 for a PROXY line before each connection (version 1 of HAProxy's
/// protocol). Writes "ok" or why it could not start to READY_FD. Returns the exit status.
int proxy(int count, char **arguments);
