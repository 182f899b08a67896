#define _GNU_SOURCE
#include "pass-files.h"

#include <string.h>
#include <sys/socket.h>

#include "system.h"

/// The kernel takes at most 253 in one message (SCM_MAX_FD).
enum { MOST_AT_ONCE = 250 };

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(MOST_AT_ONCE * sizeof(int))];
};

static int send_part(int socket, int error, const int files[], unsigned count) {
    union control control;
    struct iovec body = {.iov_base = &error, .iov_len = sizeof error};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))};
        memcpy(CMSG_DATA(header), files, count * sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int pass_files(int socket, int error, const int files[], unsigned count) {
    if (error != 0) return send_part(socket, error, NULL, 0);
    for (unsigned sent = 0; sent < count;) {
        unsigned part = count - sent < MOST_AT_ONCE ? count - sent : MOST_AT_ONCE;
        if (send_part(socket, 0, files + sent, part) < 0) return -1;
        sent += part;
    }
    return 0;
}

int take_files(int socket, int files[], unsigned count) {
    for (unsigned taken = 0; taken < count;) {
        union control control;
        int error = 0;
        struct iovec body = {.iov_base = &error, .iov_len = sizeof error};
        struct msghdr message = {.msg_iov = &body,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (length < 0) return errno;
        if (length != sizeof error) return EPIPE;
        if (error != 0) return error;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_type != SCM_RIGHTS) return EPROTO;
        unsigned part = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        if (part == 0 || part > count - taken) return EPROTO;
        memcpy(files + taken, CMSG_DATA(header), part * sizeof(int));
        taken += part;
    }
    return 0;
}
