#include "watch.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

// `watches` holds those of all environments. A watch is made and freed on its own loop's thread only; the native
// thread knows it by its number, so an event that comes late finds nothing.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct watch *watches;
static uint64_t last_id;
static int epoll = -1;

struct readiness {
    struct delivery delivery;
    uint64_t id;
};

static struct watch *find(uint64_t id) {
    pthread_mutex_lock(&mutex);
    struct watch *watch = watches;
    while (watch && watch->id != id) watch = watch->next;
    pthread_mutex_unlock(&mutex);
    return watch;
}

static void end_watch(napi_env env, struct watch *watch) {
    pthread_mutex_lock(&mutex);
    struct watch **place = &watches;
    while (*place != watch) place = &(*place)->next;
    *place = watch->next;
    pthread_mutex_unlock(&mutex);
    close(watch->descriptor);
    if (env) {
        napi_delete_reference(env, watch->listener);
        if (watch->keeps_alive) unhold_loop(env, watch->loop);
    }
    drop_loop(watch->loop);
    free(watch);
}

static int arm(const struct watch *watch, int operation) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = watch->id};
    return epoll_ctl(epoll, operation, watch->descriptor, &event);
}

static void on_ready(napi_env env, struct delivery *delivery) {
    uint64_t id = ((struct readiness *)delivery)->id;
    free(delivery);
    struct watch *watch = find(id);
    if (!watch) return;
    napi_value listener = NULL;
    if (env) napi_get_reference_value(env, watch->listener, &listener);
    bool goes_on = listener && !watch->stopped && watch->ready(env, watch, listener);
    if (!goes_on || watch->stopped || arm(watch, EPOLL_CTL_MOD) < 0) end_watch(env, watch);
}

static void *watch_all(void *unused) {
    (void)unused;
    struct epoll_event events[64];
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            struct readiness *readiness = malloc(sizeof *readiness);
            pthread_mutex_lock(&mutex);
            struct watch *watch = watches;
            while (watch && watch->id != events[i].data.u64) watch = watch->next;
            struct loop *loop = watch && readiness ? keep_loop(watch->loop) : NULL;
            pthread_mutex_unlock(&mutex);
            if (!loop) {
                free(readiness);
                continue;
            }
            *readiness = (struct readiness){.delivery.deliver = on_ready, .id = events[i].data.u64};
            deliver(loop, &readiness->delivery);
            drop_loop(loop);
        }
    }
    return NULL;
}

/// Starts the thread with the first watch; returns 0 or an errno.
static int ensure_thread(void) {
    pthread_mutex_lock(&mutex);
    int error = 0;
    if (epoll < 0) {
        epoll = epoll_create1(EPOLL_CLOEXEC);
        pthread_t thread;
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = epoll < 0 ? errno : pthread_create(&thread, NULL, watch_all, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!error) pthread_detach(thread);
        if (error && epoll >= 0) {
            close(epoll);
            epoll = -1;
        }
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

static napi_value stop(napi_env env, napi_callback_info info) {
    void *data = NULL;
    size_t none = 0;
    napi_get_cb_info(env, info, &none, NULL, NULL, &data);
    struct watch *watch = find(*(uint64_t *)data);
    if (watch && !watch->stopped) {
        watch->stopped = true;
        epoll_ctl(epoll, EPOLL_CTL_DEL, watch->descriptor, NULL);
        // Freed by an event of its own, because it may be the watch's listener that stops it.
        struct readiness *readiness = malloc(sizeof *readiness);
        if (!readiness) return NULL;
        *readiness = (struct readiness){.delivery.deliver = on_ready, .id = watch->id};
        deliver(watch->loop, &readiness->delivery);
    }
    return NULL;
}

static void free_id(napi_env env, void *data, void *hint) {
    (void)env, (void)hint;
    free(data);
}

static napi_value make_watch(napi_env env, uint64_t id) {
    napi_value object, function;
    uint64_t *kept = malloc(sizeof *kept);
    if (!kept || napi_create_object(env, &object) != napi_ok ||
        napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop, kept, &function) != napi_ok) {
        free(kept);
        return NULL;
    }
    *kept = id;
    napi_add_finalizer(env, function, kept, free_id, NULL, NULL);
    set_member(env, object, "stop", function);
    return object;
}

napi_value start_watch(napi_env env, int descriptor, napi_value listener, bool keeps_alive,
                       bool (*ready)(napi_env, struct watch *, napi_value)) {
    napi_valuetype type;
    if (napi_typeof(env, listener, &type) != napi_ok || type != napi_function) {
        napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "Expected a function");
        return NULL;
    }
    int error = ensure_thread();
    if (error) return throw_error(env, error, "pthread_create");
    AUTO_CLOSE int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return throw_error(env, errno, "fcntl");
    struct watch *watch = calloc(1, sizeof *watch);
    struct loop *loop = get_loop(env);
    if (!watch || !loop || napi_create_reference(env, listener, 1, &watch->listener) != napi_ok) {
        free(watch);
        if (loop) drop_loop(loop);
        return NULL;
    }
    *watch = (struct watch){copy, ready, false, keeps_alive, 0, watch->listener, loop, NULL};
    copy = -1;
    if (keeps_alive) hold_loop(env, loop);
    pthread_mutex_lock(&mutex);
    uint64_t id = watch->id = ++last_id;
    watch->next = watches;
    watches = watch;
    pthread_mutex_unlock(&mutex);
    if (arm(watch, EPOLL_CTL_ADD) < 0) {
        error = errno;
        end_watch(env, watch);
        return throw_error(env, error, "epoll_ctl");
    }
    return make_watch(env, id);
}
