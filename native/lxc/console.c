#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "verbs.h"

static int send_pair(int socket_, int lock, int terminal) {
    int descriptors[2] = {lock, terminal};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {0};
    struct iovec part = {"c", 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){CMSG_LEN(sizeof descriptors), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(rights), descriptors, sizeof descriptors);
    return sendmsg(socket_, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int console(const char *lxcpath, const char *name, int socket_) {
    struct lxc_container *container = lxc_container_new(name, lxcpath);
    if (!container) return fail("Failed allocating container \"%s\"", name);
    int tty = 0, terminal = -1; // 0 is the console
    int lock = container->console_getfd(container, &tty, &terminal);
    if (lock < 0) return fail("The console is taken");
    if (send_pair(socket_, lock, terminal) < 0) return fail("Failed sending the console: %s", strerror(errno));
    return 0;
}
