#define _GNU_SOURCE
#include "interceptor.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "system.h"

int connect_interceptor(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, path);
    int connected = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connected >= 0 && connect(connected, (struct sockaddr *)&address, sizeof address) < 0) close_descriptor(&connected);
    return connected;
}

void hand_over_listener(int socket, int listener) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof listener)] = {0};
    struct iovec part = {"l", 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){CMSG_LEN(sizeof listener), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(rights), &listener, sizeof listener);
    while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) continue;
}
