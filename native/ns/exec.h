// Starts a command inside a container.
#pragma once

#include <stdint.h>

#include "cgroup.h"
#include "job.h"
#include "message.h"
#include "target.h"

struct exec_request {
    struct target target;
    bool terminal;
    uid_t uid;
    gid_t gid;
    uint32_t cgroup_count;
    const char **cgroups;
    /// file with the BPF program (struct sock_filter array), or ""
    const char *seccomp_filter;
    /// socket of the process that decides about what the filter passes on, or ""
    const char *interceptor;
    const char *cwd;
    const char **arguments;
    const char **environment;
    int stdio[3];
};

/// Fields: target, u32 terminal, u32 uid, u32 gid, u32 counts of cgroups, arguments and environment, strings
/// filter, interceptor and cwd, then these strings; descriptors: stdin, stdout, stderr. Returns 0, or an errno value.
int parse_exec(const struct request *request, struct exec_request *exec);
void release_exec(struct exec_request *exec);

/// Runs in a process forked for it: enters the container and starts the command as the server's own child, whose pid
/// it leaves in `report->child`. Never returns.
void __attribute__((noreturn)) enter_and_exec(const struct exec_request *exec, const struct report *report);
