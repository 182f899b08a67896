#pragma once

/// liblxc's post-stop hook: leaves why a container ends ("stop" or "reboot", from LXC_TARGET) in the file "target" of its
/// run directory. Returns the exit status: 1 for a reboot, because liblxc 5 loses the id map when it reboots by itself
/// and a failed hook keeps it from that.
int hook(const char *run_directory);
