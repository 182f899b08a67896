// Descriptors from one process to another over a SEQPACKET socket, however many.
#pragma once

/// Sends `error`, and `count` descriptors when it is 0. Returns 0 or -1.
int pass_files(int socket, int error, const int files[], unsigned count);
/// Receives `count` descriptors. Returns 0, or the error that was sent or met.
int take_files(int socket, int files[], unsigned count);
