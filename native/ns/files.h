#pragma once

/// Serves the files of one instance as its root user. `arguments` are "running PID START_TIME" or
/// "stopped ROOTFS USERS GROUPS [host-ids] [read-only]" with the lines of its maps. Returns the exit status when the peer
/// closes the socket.
int serve_files(int socket, int count, char **arguments);
