#define _GNU_SOURCE
#include "job.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void fail(const struct report *report, const char *stage) {
    struct failure failure = {.error = errno ? errno : EIO};
    strncpy(failure.stage, stage, sizeof failure.stage - 1);
    // Less than PIPE_BUF, so it arrives whole; nobody is left to tell when it does not.
    if (write(report->pipe, &failure, sizeof failure) < 0) _exit(2);
    _exit(1);
}
