#define _GNU_SOURCE
#include "intercept.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "act.h"
#include "event-loop.h"
#include "intercept-source.h"
#include "system.h"
#include "target.h"

enum { FIXED_ARGUMENTS = 4 };

static bool makes_nodes, sets_attributes, sets_priorities;
static struct watcher monitor = {.file = -1};

static void __attribute__((noreturn)) give_up(int ready, const char *what) {
    dprintf(ready, "%s: %s", what, strerror(errno));
    _exit(1);
}

static int decide(const struct call *call) {
    switch (kind_of_call(call)) {
        case CALL_MKNOD:
        case CALL_MKNODAT: return makes_nodes ? act_mknod(call) : VERDICT_CONTINUE;
        case CALL_SETXATTR: return sets_attributes ? act_setxattr(call) : VERDICT_CONTINUE;
        case CALL_SCHED_SETSCHEDULER: return sets_priorities ? act_sched_setscheduler(call) : VERDICT_CONTINUE;
        case CALL_OTHER: break;
    }
    return VERDICT_CONTINUE;
}

static void monitor_ended(struct watcher *watcher, uint32_t events) {
    (void)watcher;
    (void)events;
    stop_loop();
}

static int watch_monitor(int pidfd) {
    monitor = (struct watcher){.file = pidfd, .ready = monitor_ended};
    return pidfd < 0 ? -1 : watch(&monitor, EPOLLIN);
}

static void somebody_connects(struct watcher *watcher, uint32_t events) {
    (void)events;
    struct ucred peer;
    socklen_t size = sizeof peer;
    int socket = accept4(watcher->file, NULL, NULL, SOCK_CLOEXEC);
    if (socket < 0) return;
    // Its folder is root's, so nobody else gets here.
    bool known = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
    if (known && monitor.file < 0) known = watch_monitor(sys_pidfd_open(peer.pid)) == 0;
    if (known)
        add_connection(socket, decide);
    else
        close(socket);
}

static void children_ended(struct watcher *watcher, uint32_t events) {
    (void)events;
    struct signalfd_siginfo ended[16];
    if (read(watcher->file, ended, sizeof ended) < 0) return;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) call_decided(pid, status);
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    if (unlink(path) < 0 && errno != ENOENT) return -1;
    umask(0177);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    return listen(listener, 64) < 0 ? -1 : listener;
}

static int open_children(void) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    return sigprocmask(SIG_BLOCK, &children, NULL) < 0 ? -1 : signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void read_calls(int count, char **names) {
    for (int i = 0; i < count; i++) {
        makes_nodes |= strcmp(names[i], "mknod") == 0;
        sets_attributes |= strcmp(names[i], "setxattr") == 0;
        sets_priorities |= strcmp(names[i], "sched_setscheduler") == 0;
    }
}

static void allow_many_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int intercept(int count, char **arguments) {
    int ready = count > 0 ? atoi(arguments[0]) : -1;
    errno = EINVAL;
    if (count <= FIXED_ARGUMENTS) give_up(ready, "read the arguments");
    read_calls(count - FIXED_ARGUMENTS, arguments + FIXED_ARGUMENTS);
    signal(SIGPIPE, SIG_IGN);
    allow_many_files();
    struct target target = {.init = atoi(arguments[2]), .start_time = strtoull(arguments[3], NULL, 10)};
    if (start_loop() < 0) give_up(ready, "wait for events");
    if (target.init && watch_monitor(open_target(&target)) < 0) give_up(ready, "find the container");
    struct watcher children = {.file = open_children(), .ready = children_ended};
    if (children.file < 0 || watch(&children, EPOLLIN) < 0) give_up(ready, "watch processes");
    struct watcher socket = {.file = listen_at(arguments[1]), .ready = somebody_connects};
    if (socket.file < 0 || watch(&socket, EPOLLIN) < 0) give_up(ready, "listen");
    dprintf(ready, "ok");
    close(ready);
    run_loop(end_slow_calls);
    unlink(arguments[1]);
    return 0;
}
