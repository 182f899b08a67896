// ctr-ns: enters containers on behalf of the daemon. Static, so that it starts fast and runs without the guest's libraries.
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "action.h"
#include "cage.h"
#include "files.h"
#include "hook.h"
#include "intercept.h"
#include "proxy.h"
#include "self-copy.h"
#include "serve.h"
#include "system.h"

static const char usage[] =
    "usage: ctr-ns serve FD\n"
    "       ctr-ns files FD running PID START_TIME\n"
    "       ctr-ns files FD stopped ROOTFS USERS GROUPS [host-ids] [read-only]\n"
    "       ctr-ns hook RUN_DIRECTORY\n"
    "       ctr-ns cage ro|rw[+btrfs] TREE HOST_BASE SIZE PROGRAM [ARGUMENT...]\n"
    "       ctr-ns relay\n"
    "       ctr-ns proxy FD PID START_TIME host|instance UID GID 0|1 UID GID MODE LISTEN CONNECT...\n"
    "       ctr-ns intercept FD SOCKET PID START_TIME CALL...\n";

/// Prepares a long-lived process: it runs from a sealed copy and holds 0 to 2 and `socket` only.
static int settle(int socket, char **arguments) {
    if (run_from_sealed_copy(arguments) < 0) return -1;
    // Keeps processes of a guest, which share this memory until they execute, from being traced or read there.
    if (prctl(PR_SET_DUMPABLE, 0) < 0) return -1;
    if (socket < 3 || fcntl(socket, F_SETFD, FD_CLOEXEC) < 0) return -1;
    if (socket > 3 && sys_close_range(3, (unsigned)socket - 1) < 0) return -1;
    return sys_close_range((unsigned)socket + 1, ~0U);
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "hook") == 0) return hook(arguments[2]);
    if (is_action(arguments[0])) return action(arguments[0]);
    if (count >= 7 && strcmp(arguments[1], "cage") == 0) return cage(arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "relay") == 0) return relay();
    bool serves = count == 3 && strcmp(arguments[1], "serve") == 0;
    bool has_files = count >= 5 && strcmp(arguments[1], "files") == 0;
    bool forwards = count >= 3 && strcmp(arguments[1], "proxy") == 0;
    bool intercepts = count >= 3 && strcmp(arguments[1], "intercept") == 0;
    if (!serves && !has_files && !forwards && !intercepts) {
        fputs(usage, stderr);
        return 2;
    }
    int socket = atoi(arguments[2]);
    // What a running container needs outlives the daemon; the others end with it.
    if ((!forwards && !intercepts && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) || settle(socket, arguments) < 0) {
        perror("ctr-ns");
        return 1;
    }
    if (forwards) return proxy(count - 2, arguments + 2);
    if (intercepts) return intercept(count - 2, arguments + 2);
    return serves ? serve(socket) : serve_files(socket, count - 3, arguments + 3);
}
