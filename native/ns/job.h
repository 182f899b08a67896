// What a process forked by the server says about itself: nothing when all went well, else one failure.
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct failure {
    int32_t error;
    char stage[60];
};

/// Where a forked process reports to. `child` is memory shared with the server.
struct report {
    int pipe;
    pid_t *child;
};

/// Writes errno and what was tried, then ends the process.
void __attribute__((noreturn)) fail(const struct report *report, const char *stage);
