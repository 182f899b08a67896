#include "loop.h"

#include <pthread.h>

struct loop {
    pthread_mutex_t mutex;
    bool ended;
    int references;
    int holds;
    napi_threadsafe_function back;
};

struct loop *keep_loop(struct loop *loop) {
    pthread_mutex_lock(&loop->mutex);
    loop->references++;
    pthread_mutex_unlock(&loop->mutex);
    return loop;
}

void drop_loop(struct loop *loop) {
    pthread_mutex_lock(&loop->mutex);
    bool last = --loop->references == 0;
    pthread_mutex_unlock(&loop->mutex);
    if (!last) return;
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

// An environment frees its threadsafe functions when it ends, so no thread may use one afterwards.
static void end_loop(void *data) {
    struct loop *loop = data;
    pthread_mutex_lock(&loop->mutex);
    loop->ended = true;
    pthread_mutex_unlock(&loop->mutex);
    drop_loop(loop);
}

static void on_loop(napi_env env, napi_value listener, void *context, void *data) {
    (void)listener, (void)context;
    struct delivery *delivery = data;
    delivery->deliver(env, delivery);
}

bool set_up_loop(napi_env env) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) return throw_error(env, ENOMEM, "calloc");
    pthread_mutex_init(&loop->mutex, NULL);
    loop->references = 1;
    napi_value name = make_string(env, "native threads");
    if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, on_loop, &loop->back) !=
        napi_ok) {
        free(loop);
        napi_throw_error(env, NULL, "Failed connecting native threads with the event loop");
        return false;
    }
    napi_unref_threadsafe_function(env, loop->back);
    napi_set_instance_data(env, loop, NULL, NULL);
    napi_add_env_cleanup_hook(env, end_loop, loop);
    return true;
}

struct loop *get_loop(napi_env env) {
    void *data = NULL;
    if (napi_get_instance_data(env, &data) == napi_ok && data) return keep_loop(data);
    napi_throw_error(env, NULL, "The addon was not set up");
    return NULL;
}

void deliver(struct loop *loop, struct delivery *delivery) {
    pthread_mutex_lock(&loop->mutex);
    bool accepted =
        !loop->ended && napi_call_threadsafe_function(loop->back, delivery, napi_tsfn_nonblocking) == napi_ok;
    pthread_mutex_unlock(&loop->mutex);
    if (!accepted) delivery->deliver(NULL, delivery);
}

void hold_loop(napi_env env, struct loop *loop) {
    if (loop->holds++ == 0) napi_ref_threadsafe_function(env, loop->back);
}

void unhold_loop(napi_env env, struct loop *loop) {
    if (--loop->holds == 0) napi_unref_threadsafe_function(env, loop->back);
}
