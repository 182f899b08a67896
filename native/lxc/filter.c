// Reads the filter that liblxc gave a container, so that commands which join it later get the very same.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "verbs.h"

enum { MAX_INSTRUCTIONS = 4096 };

static int write_filter(pid_t pid, const char *output) {
    static struct sock_filter program[MAX_INSTRUCTIONS];
    // Number 0 is the youngest: init has had no time to load one of its own.
    long count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL);
    if (count > MAX_INSTRUCTIONS) return fail("The seccomp filter is too long");
    if (count > 0) count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, program);
    if (count < 0 && errno != ENOENT) return fail("Failed reading the seccomp filter: %s", strerror(errno));
    size_t length = count < 0 ? 0 : (size_t)count * sizeof *program;
    AUTO_CLOSE int file = open(output, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 || write(file, program, length) != (ssize_t)length)
        return fail("Failed writing the seccomp filter: %s", strerror(errno));
    return 0;
}

int read_filter(pid_t pid, const char *output) {
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) return fail("Failed tracing init: %s", strerror(errno));
    int status, result = 1;
    if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
        result = write_filter(pid, output);
    else
        fail("Failed stopping init: %s", strerror(errno));
    // A stop for a signal passes it on.
    int signal = WSTOPSIG(status);
    ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)(status >> 16 ? 0 : signal));
    return result;
}
