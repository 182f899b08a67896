#define _GNU_SOURCE
#include "proxy-datagram.h"

#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "event-loop.h"
#include "system.h"

enum { DATAGRAM_BYTES = 65536, MOST_SESSIONS = 4096, SILENT_SECONDS = 60, ROUNDS = 64 };

struct session {
    struct watcher target;
    int listener;
    struct sockaddr_storage client;
    socklen_t client_length;
    time_t heard;
    struct session *next;
};

static struct session *sessions;
static unsigned session_count;
static char buffer[DATAGRAM_BYTES];

static void end_session(struct session *session) {
    for (struct session **at = &sessions; *at; at = &(*at)->next) {
        if (*at != session) continue;
        *at = session->next;
        break;
    }
    session_count--;
    unwatch(&session->target);
    close(session->target.file);
    free(session);
}

static void target_ready(struct watcher *watcher, uint32_t events) {
    (void)events;
    struct session *session = (struct session *)((char *)watcher - offsetof(struct session, target));
    for (int round = 0; round < ROUNDS; round++) {
        ssize_t length = recv(watcher->file, buffer, sizeof buffer, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (length <= 0) return end_session(session);
        session->heard = time(NULL);
        sendto(session->listener, buffer, (size_t)length, MSG_NOSIGNAL, (struct sockaddr *)&session->client,
               session->client_length);
    }
}

static struct session *find_session(int listener, const struct sockaddr_storage *client, socklen_t length) {
    for (struct session *session = sessions; session; session = session->next) {
        bool same = session->listener == listener && session->client_length == length &&
                    memcmp(&session->client, client, length) == 0;
        if (same) return session;
    }
    return NULL;
}

static struct session *begin_session(int listener, const struct sockaddr_storage *client, socklen_t length,
                                     const struct address *target) {
    struct session *session = session_count < MOST_SESSIONS ? calloc(1, sizeof *session) : NULL;
    if (!session) return NULL;
    *session = (struct session){.target = {.file = connect_to(target), .ready = target_ready},
                                .listener = listener,
                                .client = *client,
                                .client_length = length};
    if (session->target.file < 0 || watch(&session->target, EPOLLIN) < 0) {
        if (session->target.file >= 0) close(session->target.file);
        free(session);
        return NULL;
    }
    session->next = sessions;
    sessions = session;
    session_count++;
    return session;
}

void take_datagrams(int listener, const struct address *target) {
    for (int round = 0; round < ROUNDS; round++) {
        struct sockaddr_storage client;
        memset(&client, 0, sizeof client);
        socklen_t length = sizeof client;
        ssize_t count = recvfrom(listener, buffer, sizeof buffer, 0, (struct sockaddr *)&client, &length);
        if (count < 0) return;
        struct session *session = find_session(listener, &client, length);
        if (!session) session = begin_session(listener, &client, length, target);
        if (!session) continue;
        session->heard = time(NULL);
        if (send(session->target.file, buffer, (size_t)count, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            end_session(session);
    }
}

void end_silent_sessions(void) {
    time_t now = time(NULL);
    for (struct session *session = sessions, *next; session; session = next) {
        next = session->next;
        if (now - session->heard > SILENT_SECONDS) end_session(session);
    }
}
