// pidfd_open(2), pidfd_send_signal(2)
#include <sys/syscall.h>

#include "watch.h"

static napi_value pidfd_open_js(napi_env env, napi_callback_info info) {
    napi_value argument;
    int pid;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &pid)) return NULL;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pidfd < 0 ? throw_error(env, errno, "pidfd_open") : make_int(env, pidfd);
}

static napi_value pidfd_send_signal_js(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    int pidfd, signal;
    if (!get_arguments(env, info, arguments, 2) || !get_int(env, arguments[0], &pidfd) ||
        !get_int(env, arguments[1], &signal))
        return NULL;
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0) return throw_error(env, errno, "pidfd_send_signal");
    return NULL;
}

static bool tell_exit(napi_env env, struct watch *watch, napi_value listener) {
    watch->stopped = true;
    call_listener(env, listener, 0, NULL);
    return false;
}

static napi_value pidfd_watch(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    int pidfd;
    bool ref;
    if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &pidfd) ||
        !get_bool(env, arguments[2], &ref))
        return NULL;
    return start_watch(env, pidfd, arguments[1], ref, tell_exit);
}

const struct function process_functions[] = {
    {"pidfdOpen", pidfd_open_js},
    {"pidfdSendSignal", pidfd_send_signal_js},
    {"pidfdWatch", pidfd_watch},
    FUNCTIONS_END,
};
