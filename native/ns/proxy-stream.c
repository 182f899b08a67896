#define _GNU_SOURCE
#include "proxy-stream.h"

#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

#include "proxy-line.h"
#include "event-loop.h"
#include "system.h"

enum { PIPE_BYTES = 1 << 18, ROUNDS = 16, DATAGRAM_BYTES = 65536 };

/// One way of a connection.
struct flow {
    int from, to;
    int pipe[2];
    size_t held;
    bool ended, closed;
};

struct stream {
    struct watcher client, server;
    struct flow up, down;
    /// the server's side takes and gives datagrams, which cannot be spliced
    bool datagrams;
    bool pending;
};

static void end_stream(struct stream *stream) {
    forget(stream);
    unwatch(&stream->client);
    unwatch(&stream->server);
    int files[] = {stream->client.file,  stream->server.file,  stream->up.pipe[0],
                   stream->up.pipe[1],   stream->down.pipe[0], stream->down.pipe[1]};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] >= 0) close(files[i]);
    free(stream);
}

static bool waits(void) { return errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS; }

/// Moves bytes of a datagram side by hand. Returns how many, 0 at the end, -1 with EAGAIN when there is nothing to do.
static ssize_t copy_once(const struct flow *flow) {
    static char buffer[DATAGRAM_BYTES];
    ssize_t length = recv(flow->from, buffer, sizeof buffer, 0);
    if (length <= 0) return length;
    ssize_t sent = send(flow->to, buffer, (size_t)length, MSG_NOSIGNAL);
    return sent < 0 && errno == EAGAIN ? length : sent; // what finds no room is lost, as datagrams are
}

/// One step of one way. Returns 1 when bytes moved, 0 when nothing can move now, -1 when the connection is broken.
static int step_flow(struct flow *flow, bool datagrams) {
    bool moved = false;
    if (flow->closed) return 0;
    if (!flow->ended && flow->held < PIPE_BYTES) {
        ssize_t count = datagrams ? copy_once(flow)
                                  : splice(flow->from, NULL, flow->pipe[1], NULL, PIPE_BYTES,
                                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count < 0 && !waits()) return -1;
        if (count == 0) flow->ended = true;
        if (count > 0 && !datagrams) flow->held += (size_t)count;
        moved = count > 0;
    }
    if (flow->held > 0) {
        ssize_t count =
            splice(flow->pipe[0], NULL, flow->to, NULL, flow->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count < 0 && !waits()) return -1;
        if (count > 0) flow->held -= (size_t)count;
        moved = moved || count > 0;
    }
    if (flow->ended && flow->held == 0) {
        shutdown(flow->to, SHUT_WR);
        flow->closed = true;
    }
    return moved ? 1 : 0;
}

static void go_on(void *what) {
    struct stream *stream = what;
    stream->pending = false;
    for (int round = 0; round < ROUNDS; round++) {
        int up = step_flow(&stream->up, stream->datagrams);
        int down = up < 0 ? -1 : step_flow(&stream->down, stream->datagrams);
        if (up < 0 || down < 0 || (stream->up.closed && stream->down.closed)) return end_stream(stream);
        if (!up && !down) return;
    }
    stream->pending = true;
    if (go_on_later(go_on, stream) < 0) end_stream(stream);
}

static void client_ready(struct watcher *watcher, uint32_t events) {
    (void)events;
    struct stream *stream = (struct stream *)((char *)watcher - offsetof(struct stream, client));
    if (!stream->pending) go_on(stream);
}

static void server_ready(struct watcher *watcher, uint32_t events) {
    struct stream *stream = (struct stream *)((char *)watcher - offsetof(struct stream, server));
    // a connection that was refused, or that ended both ways
    if ((events & EPOLLERR) != 0 && stream->up.held == 0 && stream->down.held == 0) return end_stream(stream);
    if (!stream->pending) go_on(stream);
}

static int open_pipe(struct flow *flow) {
    if (pipe2(flow->pipe, O_NONBLOCK | O_CLOEXEC) < 0) return -1;
    fcntl(flow->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
}

/// Puts the PROXY line before what the client sends.
static int announce_client(struct stream *stream) {
    char line[PROXY_LINE_BYTES];
    size_t length = proxy_line(stream->client.file, line);
    if (write(stream->up.pipe[1], line, length) != (ssize_t)length) return -1;
    stream->up.held = length;
    return 0;
}

static int open_stream(struct stream *stream, const struct address *target, bool announce) {
    stream->server.file = connect_to(target);
    if (stream->server.file < 0) return -1;
    stream->up.to = stream->down.from = stream->server.file;
    if (open_pipe(&stream->up) < 0 || open_pipe(&stream->down) < 0) return -1;
    if (announce && announce_client(stream) < 0) return -1;
    uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    return watch(&stream->client, events) < 0 ? -1 : watch(&stream->server, events);
}

void begin_stream(int accepted, const struct address *target, bool announce) {
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        close(accepted);
        return;
    }
    stream->client = (struct watcher){.file = accepted, .ready = client_ready};
    stream->server = (struct watcher){.file = -1, .ready = server_ready};
    stream->up = (struct flow){.from = accepted, .to = -1, .pipe = {-1, -1}};
    stream->down = (struct flow){.from = -1, .to = accepted, .pipe = {-1, -1}};
    stream->datagrams = !is_stream(target);
    if (open_stream(stream, target, announce && !stream->datagrams) < 0) end_stream(stream);
}
