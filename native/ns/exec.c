#define _GNU_SOURCE
#include "exec.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "interceptor.h"
#include "label.h"
#include "system.h"

extern char **environ;

struct entry {
    int cgroups[MAX_CGROUPS];
    struct sock_filter filter[BPF_MAXINSNS];
    struct sock_fprog program;
    /// connected to the process that decides about intercepted calls; -1 = none
    int interceptor;
};

/// Descriptors that the command's process has until it is executed.
enum { REPORT = 3, INTERCEPTOR = 4 };

static struct entry entry;

int parse_exec(const struct request *request, struct exec_request *exec) {
    struct reader reader = read_body(request);
    memset(exec, 0, sizeof *exec);
    exec->target = read_target(&reader);
    exec->terminal = read_u32(&reader) != 0;
    exec->uid = read_u32(&reader);
    exec->gid = read_u32(&reader);
    exec->cgroup_count = read_u32(&reader);
    uint32_t arguments = read_u32(&reader), environment = read_u32(&reader);
    exec->seccomp_filter = read_string(&reader);
    exec->interceptor = read_string(&reader);
    exec->cwd = read_string(&reader);
    exec->cgroups = read_strings(&reader, exec->cgroup_count);
    exec->arguments = read_strings(&reader, arguments);
    exec->environment = read_strings(&reader, environment);
    bool good = read_complete(&reader) && exec->cgroup_count <= MAX_CGROUPS && arguments > 0 &&
                request->descriptor_count == 3;
    if (!good) return EBADMSG;
    memcpy(exec->stdio, request->descriptors, sizeof exec->stdio);
    return 0;
}

void release_exec(struct exec_request *exec) {
    free(exec->cgroups);
    free(exec->arguments);
    free(exec->environment);
}

static int read_filter(const char *path) {
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = read(file, entry.filter, sizeof entry.filter);
    struct stat status;
    if (length < 0 || fstat(file, &status) < 0) return -1;
    if (length == 0 || status.st_size != length || (size_t)length % sizeof *entry.filter != 0) {
        errno = EBADMSG;
        return -1;
    }
    entry.program.len = (unsigned short)((size_t)length / sizeof *entry.filter);
    entry.program.filter = entry.filter;
    return 0;
}

static void reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/// Leaves 0, 1 and 2 as the command's, REPORT and INTERCEPTOR, which close on exec; everything else is closed.
static int keep_stdio(const struct exec_request *exec, int report) {
    int high = fcntl(report, F_DUPFD_CLOEXEC, 16);
    int interceptor = entry.interceptor < 0 ? -1 : fcntl(entry.interceptor, F_DUPFD_CLOEXEC, 16);
    int moved[3];
    for (int i = 0; i < 3; i++) moved[i] = fcntl(exec->stdio[i], F_DUPFD_CLOEXEC, 16);
    for (int i = 0; i < 3; i++)
        if (moved[i] < 0 || dup2(moved[i], i) < 0) return -1;
    if (high < 0 || dup3(high, REPORT, O_CLOEXEC) < 0) return -1;
    if (entry.interceptor >= 0 && dup3(interceptor, INTERCEPTOR, O_CLOEXEC) < 0) return -1;
    return sys_close_range(entry.interceptor < 0 ? INTERCEPTOR : INTERCEPTOR + 1, ~0U);
}

/// Loads the filter. Who decides about what it passes on gets its listener; without one the kernel answers ENOSYS.
static int load_filter(void) {
    bool intercepts = entry.interceptor >= 0;
    unsigned flags = intercepts ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &entry.program);
    if (listener < 0 || !intercepts) return listener;
    hand_over_listener(INTERCEPTOR, listener);
    return close(listener);
}

static int become_user(uid_t uid, gid_t gid) {
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0) return -1;
    // By way of the container's root: only a change away from that uid drops the capabilities (capabilities(7)),
    // and execve must not run a program that the user may not read.
    return setresuid(0, 0, 0) < 0 || setresuid(uid, uid, uid) < 0 ? -1 : 0;
}

static void __attribute__((noreturn)) run_command(const struct exec_request *exec, struct report report) {
    for (uint32_t i = 0; i < exec->cgroup_count; i++)
        if (write(entry.cgroups[i], "0", 1) != 1) fail(&report, "join the cgroups");
    if (apply_label_at_exec() < 0) fail(&report, "take over the AppArmor profile");
    if (setsid() < 0) fail(&report, "start a session");
    if (keep_stdio(exec, report.pipe) < 0) fail(&report, "pass standard input and output");
    report.pipe = REPORT;
    if (exec->terminal && ioctl(0, TIOCSCTTY, 0) < 0) fail(&report, "take the terminal");
    reset_signals();
    umask(022);
    // Before the uid changes: without no_new_privs it takes CAP_SYS_ADMIN in the container (seccomp(2)).
    if (entry.program.len && load_filter() < 0)
        fail(&report, "load the seccomp filter");
    if (become_user(exec->uid, exec->gid) < 0) fail(&report, "become the user");
    if (chdir(exec->cwd) < 0) fail(&report, "change directory");
    environ = (char **)exec->environment;
    execvp(exec->arguments[0], (char *const *)exec->arguments);
    if (errno == E2BIG || errno == ENOMEM) fail(&report, "run the command");
    _exit(errno == ENOENT || errno == ENOTDIR ? 127 : 126);
}

void enter_and_exec(const struct exec_request *exec, const struct report *report) {
    int pidfd = open_target(&exec->target);
    if (pidfd < 0) fail(report, "find the container");
    for (uint32_t i = 0; i < exec->cgroup_count; i++) {
        if (cgroup_frozen(exec->cgroups[i])) {
            errno = EBUSY;
            fail(report, "enter a frozen container");
        }
        entry.cgroups[i] = open_cgroup(exec->cgroups[i]);
        if (entry.cgroups[i] < 0) fail(report, "open the cgroups");
    }
    if (*exec->seccomp_filter && read_filter(exec->seccomp_filter) < 0) fail(report, "read the seccomp filter");
    entry.interceptor = *exec->interceptor ? connect_interceptor(exec->interceptor) : -1;
    if (read_label(&exec->target) < 0) fail(report, "read the AppArmor profile");
    if (adopt_limits(&exec->target) < 0) fail(report, "take over resource limits");
    int all = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (setns(pidfd, target_namespaces(&exec->target, all)) < 0) fail(report, "enter the container");
    // A sibling, so that the server gets its exit status. The kernel stores its pid before it runs for the first time.
    long child = syscall(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, 0, report->child, 0, 0);
    if (child < 0) fail(report, "start a process");
    if (child == 0) run_command(exec, *report);
    _exit(0);
}
