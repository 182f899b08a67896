#define _GNU_SOURCE
#include "intercept-source.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "event-loop.h"
#include "system.h"

/// The monitor does nothing else for its container meanwhile.
enum { DEADLINE_SECONDS = 5 };

struct source {
    struct watcher watcher;
    bool is_listener;
    decider *decide;
    /// the call under way and the process that decides about it; 0 = none
    struct call call;
    pid_t worker;
    time_t deadline;
    struct source *next;
};

static struct source *sources;

static time_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void remove_source(struct source *source) {
    struct source **place = &sources;
    while (*place != source) place = &(*place)->next;
    *place = source->next;
    unwatch(&source->watcher);
    close(source->watcher.file);
    release_call(&source->call);
    free(source);
}

/// Waits for the next call; forgets a source that cannot.
static void go_on(struct source *source) {
    if (watch(&source->watcher, EPOLLIN) < 0) remove_source(source);
}

static void answer(struct source *source, int verdict) {
    source->worker = 0;
    int gone = 0;
    if (source->is_listener)
        answer_listener(source->watcher.file, source->call.notice.id, verdict);
    else
        gone = answer_monitor(source->watcher.file, &source->call, verdict);
    release_call(&source->call);
    if (gone < 0) return remove_source(source);
    go_on(source);
}

static bool is_whole(const struct call *call) {
    return call->process > 0 && call->memory > 0 && call->listener > 0;
}

static void decide(struct source *source) {
    unwatch(&source->watcher);
    // What was opened by the caller's number is its own if it still waits.
    if (!is_whole(&source->call) || !call_waits(&source->call)) return answer(source, ENOSYS);
    pid_t server = getpid(), worker = fork();
    if (worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != server) _exit(EINTR);
        _exit(source->decide(&source->call));
    }
    if (worker < 0) return answer(source, ENOMEM);
    source->worker = worker;
    source->deadline = now() + DEADLINE_SECONDS;
}

static void source_ready(struct watcher *watcher, uint32_t events);

static struct source *add_source(int file, bool is_listener, decider *decide_) {
    struct source *source = calloc(1, sizeof *source);
    if (source) {
        *source = (struct source){.watcher = {.file = file, .ready = source_ready},
                                  .is_listener = is_listener,
                                  .decide = decide_,
                                  .next = sources};
        if (watch(&source->watcher, EPOLLIN) == 0) return sources = source;
        free(source);
    }
    close(file);
    return NULL;
}

/// A message of one byte is that of a command which joins the container: with its listener.
static bool take_listener(struct source *source) {
    char byte[2];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {byte, sizeof byte};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recv(source->watcher.file, byte, sizeof byte, MSG_PEEK | MSG_TRUNC) != 1) return false;
    if (recvmsg(source->watcher.file, &message, MSG_CMSG_CLOEXEC) != 1) return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int listener = -1;
    if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&listener, CMSG_DATA(header), sizeof listener);
    if (listener >= 0) add_source(listener, true, source->decide);
    return true;
}

static void source_ready(struct watcher *watcher, uint32_t events) {
    struct source *source = (struct source *)watcher;
    if (!(events & EPOLLIN)) return remove_source(source); // nobody is left who could call
    if (!source->is_listener && take_listener(source)) return;
    int result = source->is_listener ? receive_from_listener(watcher->file, &source->call)
                                     : receive_from_monitor(watcher->file, &source->call);
    if (result < 0 || (result == 0 && !source->is_listener)) return remove_source(source);
    if (result > 0) decide(source);
}

void add_connection(int socket, decider *decide_) { add_source(socket, false, decide_); }

void call_decided(int pid, int status) {
    for (struct source *source = sources; source; source = source->next)
        if (source->worker == pid) return answer(source, WIFEXITED(status) ? WEXITSTATUS(status) : EIO);
}

void end_slow_calls(void) {
    for (struct source *source = sources, *next; source; source = next) {
        next = source->next;
        if (!source->worker || now() <= source->deadline) continue;
        // It may not end at once, or ever: the answer does not wait for that.
        kill(source->worker, SIGKILL);
        answer(source, EIO);
    }
}
