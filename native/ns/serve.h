#pragma once

enum serve_operation { SERVE_EXEC = 1, SERVE_SIGNAL = 2, SERVE_MOUNT = 3, SERVE_UNMOUNT = 4 };

/// Serves requests on a SEQPACKET socket until the peer closes it. Returns the exit status.
int serve(int socket);
