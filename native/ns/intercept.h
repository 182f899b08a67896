// Decides about system calls that a container's filter passes on: one process per container, which outlives the daemon.
#pragma once

/// Arguments: READY SOCKET PID START_TIME CALL... . SOCKET is where liblxc's monitor sends calls to, and where `ctr-ns
/// serve` hands over the listeners of commands that join the container. It ends with the process PID, or with that which
/// connects first when PID is 0. CALLs are "mknod", "setxattr" and "sched_setscheduler"; others go on as if nobody had
/// looked. Writes "ok", or what failed, to the descriptor READY.
int intercept(int count, char **arguments);
