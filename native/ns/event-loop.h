// What waits for a descriptor, and work that is to be gone on with.
#pragma once

#include <stdint.h>

struct watcher {
    int file;
    void (*ready)(struct watcher *watcher, uint32_t events);
};

/// Returns 0 or -1.
int start_loop(void);
/// Watches for `events` of epoll(7). Returns 0 or -1.
int watch(struct watcher *watcher, uint32_t events);
void unwatch(struct watcher *watcher);
/// Calls `tick` about once a second. Runs until stop_loop.
void run_loop(void (*tick)(void));
void stop_loop(void);
/// Has `go_on` called with `what` after other events had their turn. Returns -1 when there is no memory.
int go_on_later(void (*go_on)(void *), void *what);
/// Forgets what was to be gone on with.
void forget(const void *what);
