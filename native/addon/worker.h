// Calls that may wait for a disk run on threads of the addon's own, so that they never fill libuv's pool.
#pragma once

#include "loop.h"

struct job {
    struct delivery delivery;
    /// On a native thread: does the work; returns 0 or an errno.
    int (*run)(struct job *job);
    /// On the event loop after success: makes the promise's value; NULL for undefined.
    napi_value (*result)(napi_env env, struct job *job);
    /// Frees what the job owns, and the job.
    void (*release)(struct job *job);
    /// for the error, such as "mount"
    const char *call;
    int error;
    napi_deferred deferred;
    struct loop *loop;
    struct job *next;
};

/// Queues a job, which it owns from here on, and returns the promise.
napi_value start_job(napi_env env, struct job *job);
