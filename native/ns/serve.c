// The fork server: stays in the host's namespaces, forks a process per request and never waits for one, because a
// guest can make any of them hang.
#define _GNU_SOURCE
#include "serve.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "exec.h"
#include "mount.h"
#include "system.h"

/// A request may take this long to start its command or to finish.
enum { DEADLINE_SECONDS = 30 };

struct job {
    uint32_t id;
    bool is_exec;
    /// the process forked for the request; 0 once it was reaped
    pid_t worker;
    int worker_status;
    /// shared page with the pid of an exec's command; 0 until it exists
    pid_t *child;
    /// read end of the report; -1 once it ended
    int pipe;
    bool child_ended;
    int child_status;
    bool answered;
    /// the command was executed, so its exit is reported
    bool started;
    time_t deadline;
};

static struct {
    int socket;
    struct job *jobs;
    size_t count, room;
    struct pollfd *polled;
} server;

static time_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static int make_room(void) {
    if (server.count < server.room) return 0;
    size_t room = server.room ? server.room * 2 : 64;
    struct job *jobs = realloc(server.jobs, room * sizeof *jobs);
    if (jobs) server.jobs = jobs;
    struct pollfd *polled = realloc(server.polled, (room + 2) * sizeof *polled);
    if (polled) server.polled = polled;
    if (!jobs || !polled) return -1;
    server.room = room;
    return 0;
}

static int shell_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

/// Forks the process of a job. Returns 0 in it, its pid in the server, or -1.
static pid_t fork_worker(uint32_t id, bool is_exec, struct report *report) {
    if (make_room() < 0) return -1;
    int ends[2];
    pid_t *child = mmap(NULL, sizeof *child, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (child == MAP_FAILED) return -1;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        munmap(child, sizeof *child);
        return -1;
    }
    *report = (struct report){.pipe = ends[1], .child = child};
    pid_t pid = fork();
    if (pid == 0) return 0;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        munmap(child, sizeof *child);
        return -1;
    }
    server.jobs[server.count++] = (struct job){
        .id = id, .is_exec = is_exec, .worker = pid, .child = child, .pipe = ends[0], .deadline = now() + DEADLINE_SECONDS};
    return pid;
}

static void start_exec(const struct request *request) {
    struct exec_request exec;
    struct report report;
    int error = parse_exec(request, &exec);
    if (error == 0) {
        pid_t pid = fork_worker(request->header.id, true, &report);
        if (pid == 0) enter_and_exec(&exec, &report);
        if (pid < 0) error = errno;
    }
    release_exec(&exec);
    if (error) send_failure(server.socket, request->header.id, error, "start a process");
}

static void start_mount(const struct request *request) {
    struct mount_request mount;
    struct report report;
    int error = parse_mount(request, &mount);
    if (error == 0) {
        pid_t pid = fork_worker(request->header.id, false, &report);
        if (pid == 0 && request->header.operation == SERVE_MOUNT) mount_into(&mount, &report);
        if (pid == 0) unmount_from(&mount, &report);
        if (pid < 0) error = errno;
    }
    if (error) send_failure(server.socket, request->header.id, error, "start a process");
}

/// The command is not reaped while its job says it runs, so its pid cannot belong to anyone else. No reply.
static void send_signal(const struct request *request) {
    struct reader reader = read_body(request);
    uint32_t id = read_u32(&reader), number = read_u32(&reader);
    if (!read_complete(&reader) || number < 1 || number >= NSIG) return;
    for (size_t i = 0; i < server.count; i++) {
        struct job *job = &server.jobs[i];
        if (job->id == id && job->is_exec && *job->child && !job->child_ended) kill(*job->child, (int)number);
    }
}

static int take_request(void) {
    struct request request;
    int result = receive_request(server.socket, &request);
    if (result <= 0) return -1;
    switch ((enum serve_operation)request.header.operation) {
        case SERVE_EXEC: start_exec(&request); break;
        case SERVE_SIGNAL: send_signal(&request); break;
        case SERVE_MOUNT:
        case SERVE_UNMOUNT: start_mount(&request); break;
        default: send_failure(server.socket, request.header.id, EBADMSG, "read the request");
    }
    release_request(&request);
    return 0;
}

static void reap(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < server.count; i++) {
            struct job *job = &server.jobs[i];
            if (job->worker == pid) {
                job->worker = 0;
                job->worker_status = status;
                break;
            }
            if (*job->child == pid && !job->child_ended) {
                job->child_ended = true;
                job->child_status = shell_status(status);
                break;
            }
        }
    }
}

static void end_report(struct job *job) { close_descriptor(&job->pipe); }

/// The report ends with one failure, or empty when the command was executed or the work is done.
static void read_report(struct job *job) {
    struct failure failure;
    ssize_t length = read(job->pipe, &failure, sizeof failure);
    if (length < 0 && errno == EINTR) return;
    if (length == (ssize_t)sizeof failure) {
        failure.stage[sizeof failure.stage - 1] = 0;
        if (!job->answered) send_failure(server.socket, job->id, failure.error, failure.stage);
        job->answered = true;
    }
    end_report(job);
}

static void give_up(struct job *job) {
    if (job->worker) kill(job->worker, SIGKILL);
    if (*job->child && !job->child_ended) kill(*job->child, SIGKILL);
    if (!job->answered) send_failure(server.socket, job->id, ETIMEDOUT, "start the command");
    job->answered = true;
    end_report(job);
}

static void answer(struct job *job) {
    job->answered = true;
    if (job->is_exec && *job->child) {
        job->started = true;
        send_reply(server.socket, job->id, REPLY_DONE, *job->child, NULL, 0, -1);
    } else if (!job->is_exec && WIFEXITED(job->worker_status) && WEXITSTATUS(job->worker_status) == 0) {
        send_reply(server.socket, job->id, REPLY_DONE, 0, NULL, 0, -1);
    } else {
        send_failure(server.socket, job->id, EIO, "finish the request");
    }
}

/// Answers what can be answered. Returns true when the job is over and may be forgotten.
static bool advance(struct job *job) {
    if (job->pipe >= 0 || job->worker) return false;
    if (!job->answered) answer(job);
    if (*job->child && !job->child_ended) return false;
    if (job->started) send_reply(server.socket, job->id, REPLY_EXITED, job->child_status, NULL, 0, -1);
    return true;
}

static void advance_all(void) {
    time_t time = now();
    for (size_t i = 0; i < server.count;) {
        struct job *job = &server.jobs[i];
        if (job->pipe >= 0 && time > job->deadline) give_up(job);
        if (!advance(job)) {
            i++;
            continue;
        }
        munmap(job->child, sizeof *job->child);
        *job = server.jobs[--server.count];
    }
}

/// Fills the list to poll; returns how long to wait, in milliseconds, because of deadlines.
static int fill_polled(int signals) {
    int timeout = -1;
    server.polled[0] = (struct pollfd){.fd = server.socket, .events = POLLIN};
    server.polled[1] = (struct pollfd){.fd = signals, .events = POLLIN};
    for (size_t i = 0; i < server.count; i++) {
        server.polled[i + 2] = (struct pollfd){.fd = server.jobs[i].pipe, .events = POLLIN};
        if (server.jobs[i].pipe >= 0) timeout = 1000;
    }
    return timeout;
}

int serve(int socket) {
    server.socket = socket;
    signal(SIGPIPE, SIG_IGN);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || make_room() < 0) return 1;
    for (;;) {
        int timeout = fill_polled(signals);
        size_t polled = server.count;
        if (poll(server.polled, polled + 2, timeout) < 0 && errno != EINTR) return 1;
        struct signalfd_siginfo ended[16];
        if (server.polled[1].revents && read(signals, ended, sizeof ended) < 0 && errno != EAGAIN) return 1;
        reap();
        for (size_t i = 0; i < polled; i++)
            if (server.polled[i + 2].revents && server.jobs[i].pipe >= 0) read_report(&server.jobs[i]);
        advance_all();
        if (server.polled[0].revents && take_request() < 0) return 0;
    }
}
