#pragma once

/// Tells the daemon that a container reached a point of its life: writes "ID NAME TARGET\n" to its stream socket, with
/// TARGET ("stop" or "reboot") from LXC_TARGET. When nobody listens it leaves TARGET in the file "target" of
/// `run_directory`, for the daemon's next start. Returns the exit status: 1 only for "post-stop" of a reboot, because
/// liblxc 5 loses the id map when it reboots by itself and a failed hook keeps it from that.
int hook(const char *socket_path, const char *run_directory, const char *id, const char *name);
