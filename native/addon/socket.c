// unix(7): pipes, SEQPACKET sockets and the descriptors that travel over them
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watch.h"

#define MAX_DESCRIPTORS 8
#define MAX_MESSAGE 65536
/// Messages handled before other events get their turn.
#define BATCH 64

static napi_value make_pipe(napi_env env, napi_callback_info info) {
    napi_value argument;
    int ends[2], size = 0;
    if (!get_arguments(env, info, &argument, 1)) return NULL;
    if (!is_absent(env, argument) && !get_int(env, argument, &size)) return NULL;
    if (pipe2(ends, O_CLOEXEC) < 0) return throw_error(env, errno, "pipe2");
    if (size > 0) fcntl(ends[1], F_SETPIPE_SZ, size);
    return make_pair(env, ends[0], ends[1]);
}

static napi_value free_bytes(napi_env env, napi_callback_info info) {
    napi_value bytes, buffer;
    size_t length, offset;
    if (!get_arguments(env, info, &bytes, 1)) return NULL;
    if (napi_get_typedarray_info(env, bytes, NULL, &length, NULL, &buffer, &offset) != napi_ok)
        return throw_error(env, EINVAL, "free");
    size_t whole;
    void *data;
    if (napi_get_arraybuffer_info(env, buffer, &data, &whole) == napi_ok && offset == 0 && length == whole)
        napi_detach_arraybuffer(env, buffer);
    return make_undefined(env);
}

static napi_value seqpacket_pair(napi_env env, napi_callback_info info) {
    (void)info;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return throw_error(env, errno, "socketpair");
    return make_pair(env, ends[0], ends[1]);
}

/// Returns the number of descriptors, or -1 with an exception pending.
static int get_descriptors(napi_env env, napi_value array, int *descriptors) {
    uint32_t count;
    if (napi_get_array_length(env, array, &count) != napi_ok || count > MAX_DESCRIPTORS) {
        napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", "Expected an array of at most 8 descriptors");
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        napi_value value;
        if (napi_get_element(env, array, i, &value) != napi_ok || !get_int(env, value, &descriptors[i])) return -1;
    }
    return (int)count;
}

static napi_value send_message(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    int socket_, descriptors[MAX_DESCRIPTORS];
    if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &socket_)) return NULL;
    void *bytes;
    size_t length;
    if (napi_get_typedarray_info(env, arguments[1], NULL, &length, &bytes, NULL, NULL) != napi_ok) {
        napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "Expected a Uint8Array");
        return NULL;
    }
    int count = get_descriptors(env, arguments[2], descriptors);
    if (count < 0) return NULL;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {0};
    struct iovec part = {bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        *rights = (struct cmsghdr){CMSG_LEN((size_t)count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(rights), descriptors, (size_t)count * sizeof(int));
    }
    if (sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return throw_error(env, errno, "sendmsg");
    return NULL;
}

static napi_value take_descriptors(napi_env env, struct msghdr *message) {
    napi_value array;
    napi_create_array(env, &array);
    uint32_t at = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            napi_set_element(env, array, at++, make_int(env, descriptor));
        }
    }
    return array;
}

/// Delivers one message. False when there is none now, or no more at all (`over`).
static bool receive_one(napi_env env, struct watch *watch, napi_value listener, bool *over) {
    static _Thread_local char bytes[MAX_MESSAGE];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(watch->descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
    napi_value value = make_undefined(env);
    if (length > 0) {
        napi_value data;
        napi_create_object(env, &value);
        napi_create_buffer_copy(env, (size_t)length, bytes, NULL, &data);
        set_member(env, value, "data", data);
        set_member(env, value, "descriptors", take_descriptors(env, &message));
    } else {
        *over = watch->stopped = true;
    }
    call_listener(env, listener, 1, &value);
    napi_close_handle_scope(env, scope);
    return length > 0;
}

static bool tell_messages(napi_env env, struct watch *watch, napi_value listener) {
    bool over = false;
    for (int i = 0; i < BATCH && !watch->stopped && receive_one(env, watch, listener, &over); i++) continue;
    return !over;
}

static napi_value watch_messages(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    int descriptor;
    if (!get_arguments(env, info, arguments, 2) || !get_int(env, arguments[0], &descriptor)) return NULL;
    return start_watch(env, descriptor, arguments[1], false, tell_messages);
}

static napi_value peer_credentials(napi_env env, napi_callback_info info) {
    napi_value argument, result;
    int descriptor;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &descriptor)) return NULL;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return throw_error(env, errno, "getsockopt");
    if (napi_create_object(env, &result) != napi_ok) return NULL;
    set_number(env, result, "pid", peer.pid);
    set_number(env, result, "uid", peer.uid);
    set_number(env, result, "gid", peer.gid);
    return result;
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/// The kernel's own handle of the peer (Linux 6.5), else one by its number.
static napi_value peer_pidfd(napi_env env, napi_callback_info info) {
    napi_value argument;
    int descriptor, pidfd;
    socklen_t length = sizeof pidfd;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &descriptor)) return NULL;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0) return make_int(env, pidfd);
    if (errno != ENOPROTOOPT) return throw_error(env, errno, "getsockopt");
    struct ucred peer;
    length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return throw_error(env, errno, "getsockopt");
    pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
    return pidfd < 0 ? throw_error(env, errno, "pidfd_open") : make_int(env, pidfd);
}

const struct function socket_functions[] = {
    {"pipe", make_pipe},
    {"freeBytes", free_bytes},
    {"seqpacketPair", seqpacket_pair},
    {"sendMessage", send_message},
    {"watchMessages", watch_messages},
    {"peerCredentials", peer_credentials},
    {"peerPidfd", peer_pidfd},
    FUNCTIONS_END,
};
