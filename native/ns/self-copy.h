#pragma once

/// Runs this program again from a sealed copy in memory, unless that is so already: a guest that reaches
/// /proc/PID/exe of a process entering it must not reach the file on the host (CVE-2019-5736). Returns -1 on failure.
int run_from_sealed_copy(char **arguments);
