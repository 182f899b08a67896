// ctr-lxc: the few things that liblxc does for us, one per process because the library keeps global state.
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verbs.h"

static const char usage[] =
    "usage: ctr-lxc start LXCPATH NAME CONFIG\n"
    "       ctr-lxc restore LXCPATH NAME CONFIG IMAGES ACTION\n"
    "       ctr-lxc console LXCPATH NAME FD\n"
    "       ctr-lxc seccomp POLICY OUTPUT\n"
    "       ctr-lxc filter PID OUTPUT\n"
    "       ctr-lxc library EXTENSION...\n";

int fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return 1;
}

int main(int count, char **arguments) {
    // The monitor must hold nothing of the daemon's for as long as the container runs.
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) return fail("Failed marking descriptors close-on-exec");
    const char *verb = count > 1 ? arguments[1] : "";
    if (count == 5 && strcmp(verb, "start") == 0) return start(arguments[2], arguments[3], arguments[4]);
    if (count == 7 && strcmp(verb, "restore") == 0)
        return restore(arguments[2], arguments[3], arguments[4], arguments[5], arguments[6]);
    if (count == 5 && strcmp(verb, "console") == 0) return console(arguments[2], arguments[3], atoi(arguments[4]));
    if (count == 4 && strcmp(verb, "filter") == 0) return read_filter(atoi(arguments[2]), arguments[3]);
    if (count == 4 && strcmp(verb, "seccomp") == 0) return export_seccomp(arguments[2], arguments[3]);
    if (count > 2 && strcmp(verb, "library") == 0) return library(count - 2, arguments + 2);
    fputs(usage, stderr);
    return 2;
}
