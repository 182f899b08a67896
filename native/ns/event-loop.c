#define _GNU_SOURCE
#include "event-loop.h"

#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>

#include "system.h"

struct pending {
    void (*go_on)(void *);
    void *what;
    struct pending *next;
};

static int events_file = -1;
static bool running;
static struct pending *first, **last = &first;

int start_loop(void) {
    events_file = epoll_create1(EPOLL_CLOEXEC);
    return events_file < 0 ? -1 : 0;
}

int watch(struct watcher *watcher, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = watcher};
    return epoll_ctl(events_file, EPOLL_CTL_ADD, watcher->file, &event);
}

void unwatch(struct watcher *watcher) { epoll_ctl(events_file, EPOLL_CTL_DEL, watcher->file, NULL); }

int go_on_later(void (*go_on)(void *), void *what) {
    struct pending *entry = malloc(sizeof *entry);
    if (!entry) return -1;
    *entry = (struct pending){.go_on = go_on, .what = what};
    *last = entry;
    last = &entry->next;
    return 0;
}

void forget(const void *what) {
    for (struct pending *entry = first; entry; entry = entry->next)
        if (entry->what == what) entry->what = NULL;
}

static void go_on_with_pending(void) {
    struct pending *entry = first;
    first = NULL;
    last = &first;
    while (entry) {
        struct pending *next = entry->next;
        if (entry->what) entry->go_on(entry->what);
        free(entry);
        entry = next;
    }
}

void run_loop(void (*tick)(void)) {
    running = true;
    time_t told = time(NULL);
    while (running) {
        // One at a time: what is ready may end what another event of the same call is about.
        struct epoll_event event;
        int count = epoll_wait(events_file, &event, 1, first ? 0 : 1000);
        if (count < 0 && errno != EINTR) return;
        if (count == 1) {
            struct watcher *watcher = event.data.ptr;
            watcher->ready(watcher, event.events);
        }
        go_on_with_pending();
        time_t now = time(NULL);
        if (now != told) tick();
        told = now;
    }
}

void stop_loop(void) { running = false; }
