// Makes the filter that liblxc makes of a policy, so that commands which join a container later get the same.
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "cleanup.h"
#include "verbs.h"

static void close_stream(FILE **stream) {
    if (*stream) fclose(*stream);
}

static void release_filter(scmp_filter_ctx *filter) {
    if (*filter) seccomp_release(*filter);
}

/// Adds one line of the policy; returns 0 or a negative errno.
static int add_line(scmp_filter_ctx filter, const char *line) {
    char name[64];
    unsigned code;
    if (sscanf(line, "%63s", name) != 1 || name[0] == '#' || name[0] == '[') return 0;
    if (strcmp(name, "reject_force_umount") == 0)
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(umount2), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, MNT_FORCE, MNT_FORCE));
    if (sscanf(line, "%63s errno %u", name, &code) != 2) return -EINVAL;
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return 0; // not known to this library, so liblxc skips it too
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(code), number, 0);
}

/// Foreign system call tables of this architecture need the rules as well.
static void add_architectures(scmp_filter_ctx filter) {
    switch (seccomp_arch_native()) {
    case SCMP_ARCH_X86_64:
        seccomp_arch_add(filter, SCMP_ARCH_X86);
        seccomp_arch_add(filter, SCMP_ARCH_X32);
        break;
    case SCMP_ARCH_AARCH64:
        seccomp_arch_add(filter, SCMP_ARCH_ARM);
        break;
    }
}

int export_seccomp(const char *policy, const char *output) {
    __attribute__((cleanup(close_stream))) FILE *stream = fopen(policy, "re");
    if (!stream) return fail("Failed opening the seccomp policy \"%s\": %s", policy, strerror(errno));
    __attribute__((cleanup(release_filter))) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) return fail("Failed allocating a seccomp filter");
    // Unlike a command of ours the guest may run with foreign architectures that we do not know: let those be.
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    add_architectures(filter);
    char line[256];
    for (int number = 1; fgets(line, sizeof line, stream); number++) {
        if (number <= 2) continue; // the version and "denylist"
        int error = add_line(filter, line);
        if (error < 0) return fail("Line %d of the seccomp policy cannot be used: %s", number, strerror(-error));
    }
    AUTO_CLOSE int file = open(output, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return fail("Failed creating \"%s\": %s", output, strerror(errno));
    int error = seccomp_export_bpf(filter, file);
    if (error < 0) return fail("Failed writing the seccomp filter: %s", strerror(-error));
    return 0;
}
