// The half of an intercepted call that is done with the caller's rights, and the ids of what the other half makes.
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "caller.h"
#include "pass-files.h"
#include "system.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

static int set_rights(uint64_t rights) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted = (uint32_t)(rights >> (32 * i));
    return (int)syscall(SYS_capset, &header, data);
}

/// Without the rules that take rights away when ids change: they are set right afterwards.
static int keep_rights(void) { return prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0); }

/// No way back, and nothing of the host is in reach any more but what is open.
static int become_caller(const struct caller *caller) {
    // Files first, with the host's rights: the caller need not be allowed to enter its own mount namespace again.
    if (setns(caller->mounts, CLONE_NEWNS) < 0 || fchdir(caller->root) < 0 || chroot(".") < 0) return -1;
    if (keep_rights() < 0 || setgroups(caller->group_count, caller->groups) < 0) return -1;
    if (setresgid(caller->gid, caller->gid, caller->gid) < 0) return -1;
    if (setresuid(caller->uid, caller->uid, caller->uid) < 0) return -1;
    if (setns(caller->users, CLONE_NEWUSER) < 0 || set_rights(caller->rights) < 0) return -1;
    // Changing credentials clears both.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0) return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int find(const struct caller *caller, int start, const char *path, uint64_t flags, int access) {
    if (become_caller(caller) < 0) return -1;
    int file = open_plain(start, path, O_PATH | flags, 0, 0);
    if (file < 0 || syscall(SYS_faccessat2, file, "", access, AT_EMPTY_PATH | AT_EACCESS) < 0) return -1;
    return file;
}

int open_as_caller(const struct caller *caller, int start, const char *path, uint64_t flags, int access) {
    int pair[2], file = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        file = find(caller, start, path, flags, access);
        _exit(pass_files(pair[1], file < 0 ? errno : 0, &file, 1) < 0);
    }
    close(pair[1]);
    int error = child < 0 ? errno : take_files(pair[0], &file, 1);
    close(pair[0]);
    if (child > 0) waitpid(child, NULL, 0);
    errno = error;
    return error == 0 ? file : -1;
}

int create_as_caller(const struct caller *caller, int capability) {
    if (keep_rights() < 0 || setgroups(caller->group_count, caller->groups) < 0) return -1;
    setfsgid(caller->gid);
    setfsuid(caller->uid);
    umask(caller->umask);
    return set_rights(1ULL << capability | 1ULL << CAP_DAC_OVERRIDE);
}
