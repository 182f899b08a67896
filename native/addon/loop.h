// The way back from native threads to the event loop of the environment that a thread works for.
#pragma once

#include "addon.h"

/// Something to do on the event loop. `deliver` runs there once and owns it; with a NULL `env` it only frees.
struct delivery {
    void (*deliver)(napi_env env, struct delivery *delivery);
};

/// One JavaScript environment (the main thread or a worker_thread).
struct loop;

bool set_up_loop(napi_env env);
/// The environment's loop with a reference for the caller, or NULL with an exception pending.
struct loop *get_loop(napi_env env);
struct loop *keep_loop(struct loop *loop);
void drop_loop(struct loop *loop);
/// From any thread: runs the delivery on the loop, or frees it when the environment has ended.
void deliver(struct loop *loop, struct delivery *delivery);
/// On the loop's own thread: while a hold is kept the event loop stays alive.
void hold_loop(napi_env env, struct loop *loop);
void unhold_loop(napi_env env, struct loop *loop);
