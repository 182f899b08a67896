// Descriptors watched by one native thread (epoll(7)); what happened is handled on the event loop.
#pragma once

#include "loop.h"

struct watch {
    /// a duplicate of the caller's descriptor, so that closing that one does not confuse epoll
    int descriptor;
    /// On the event loop, each time the descriptor is readable. Returns false when the watch is over.
    bool (*ready)(napi_env env, struct watch *watch, napi_value listener);
    bool stopped;
    bool keeps_alive;
    uint64_t id;
    napi_ref listener;
    struct loop *loop;
    struct watch *next;
};

/// Watches `descriptor` and returns the `Watch` for JavaScript.
napi_value start_watch(napi_env env, int descriptor, napi_value listener, bool keeps_alive,
                       bool (*ready)(napi_env, struct watch *, napi_value));
