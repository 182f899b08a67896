#define _GNU_SOURCE
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "act.h"
#include "caller.h"
#include "system.h"

/// True for a pid namespace in which processes of the host have numbers.
static bool is_ours(int pids) {
    struct stat theirs, ours;
    if (fstat(pids, &theirs) < 0 || stat("/proc/self/ns/pid", &ours) < 0) return true;
    return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

/// From inside the caller's pid namespace, where only its container's processes have numbers.
static int set_inside(int pids, pid_t pid, int policy, const struct sched_param *priority) {
    if (setns(pids, CLONE_NEWPID) < 0) return EPERM;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(sched_setscheduler(pid, policy, priority) < 0 ? errno : 0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0) return EAGAIN;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int act_sched_setscheduler(const struct call *call) {
    const __u64 *arguments = call->notice.data.args;
    pid_t pid = (pid_t)arguments[0];
    int policy = (int)arguments[1], plain = policy & ~SCHED_RESET_ON_FORK;
    struct sched_param priority;
    // For everything else the caller needs no rights, or none that a container could have.
    if (pid < 0 || (plain != SCHED_FIFO && plain != SCHED_RR)) return VERDICT_CONTINUE;
    struct caller caller;
    if (read_caller(call, &caller) < 0 || !caller_may(&caller, CAP_SYS_NICE)) return VERDICT_CONTINUE;
    if (read_caller_bytes(call, arguments[2], &priority, sizeof priority)) return EFAULT;
    AUTO_CLOSE int pids = openat(call->process, "ns/pid", O_RDONLY | O_CLOEXEC);
    if (pids < 0 || is_ours(pids)) return VERDICT_CONTINUE;
    if (!call_waits(call)) return EINTR;
    return set_inside(pids, pid ? pid : caller.own_pid, policy, &priority);
}
