#include "worker.h"

#include <pthread.h>
#include <signal.h>

/// Enough that one slow file system does not stop the others.
#define THREADS 4

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static int threads, idle, queued;

static void settle(napi_env env, struct delivery *delivery) {
    struct job *job = (struct job *)delivery;
    if (env) {
        if (job->error) {
            napi_reject_deferred(env, job->deferred, make_error(env, job->error, job->call));
        } else {
            napi_value value = job->result ? job->result(env, job) : NULL;
            napi_resolve_deferred(env, job->deferred, value ? value : make_undefined(env));
        }
        unhold_loop(env, job->loop);
    }
    drop_loop(job->loop);
    job->release(job);
}

static struct job *take(void) {
    pthread_mutex_lock(&mutex);
    idle++;
    while (!first) pthread_cond_wait(&arrived, &mutex);
    idle--;
    queued--;
    struct job *job = first;
    first = job->next;
    if (!first) last = &first;
    pthread_mutex_unlock(&mutex);
    return job;
}

static void *work(void *unused) {
    (void)unused;
    for (;;) {
        struct job *job = take();
        job->error = job->run(job);
        deliver(job->loop, &job->delivery);
    }
    return NULL;
}

/// Starts a thread that gets no signals: they belong to the event loop. Returns 0 or an errno.
static int start_thread(void) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error) pthread_detach(thread);
    return error;
}

static int queue(struct job *job) {
    pthread_mutex_lock(&mutex);
    int error = 0;
    if (queued >= idle && threads < THREADS) {
        error = start_thread();
        if (!error) threads++;
    }
    if (threads > 0) {
        error = 0;
        queued++;
        job->next = NULL;
        *last = job;
        last = &job->next;
        pthread_cond_signal(&arrived);
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

napi_value start_job(napi_env env, struct job *job) {
    napi_value promise = NULL;
    job->delivery.deliver = settle;
    job->loop = get_loop(env);
    if (!job->loop || napi_create_promise(env, &job->deferred, &promise) != napi_ok) {
        if (job->loop) drop_loop(job->loop);
        job->release(job);
        return NULL;
    }
    hold_loop(env, job->loop);
    int error = queue(job);
    if (error) { // without a single thread there is nobody else to settle it
        job->error = error;
        settle(env, &job->delivery);
    }
    return promise;
}
