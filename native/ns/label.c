#define _GNU_SOURCE
#include "label.h"

#include <stdio.h>
#include <string.h>

#include "system.h"

/// Of a profile's name, and of lines of attr/exec (apparmor(7)).
#define LABEL_SIZE 512

static char request[LABEL_SIZE + 8];
/// The host's /proc: that of a guest is not to be trusted.
static int proc = -1;

int read_label(const struct target *target) {
    char path[48], label[LABEL_SIZE];
    snprintf(path, sizeof path, "/proc/%d/attr/apparmor/current", target->init);
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? 0 : -1;
    ssize_t length = read(file, label, sizeof label - 1);
    if (length < 0) return errno == EINVAL ? 0 : -1;
    label[length] = 0;
    // "NAME (enforce)", or "unconfined" without a mode
    char *mode = strrchr(label, '(');
    if (!mode || mode == label) return 0;
    mode[-1] = 0;
    snprintf(request, sizeof request, "exec %s", label);
    proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return proc < 0 ? -1 : 0;
}

int apply_label_at_exec(void) {
    if (!*request) return 0;
    AUTO_CLOSE int file = openat(proc, "thread-self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    return write(file, request, strlen(request)) < 0 ? -1 : 0;
}
