#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 65536

void *begin_request(struct request *request, uint16_t type, uint16_t flags, size_t size) {
    memset(request, 0, sizeof *request);
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | flags;
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
    return NLMSG_DATA(&request->header);
}

void *add_attribute(struct request *request, uint16_t type, const void *data, size_t length) {
    size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    if (at + RTA_SPACE(length) > sizeof request->bytes) {
        request->full = true;
        return NULL;
    }
    struct rtattr *attribute = (struct rtattr *)(request->bytes + at);
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(length);
    if (data) memcpy(RTA_DATA(attribute), data, length);
    request->header.nlmsg_len = (uint32_t)(at + RTA_ALIGN(attribute->rta_len));
    return RTA_DATA(attribute);
}

void add_number(struct request *request, uint16_t type, uint32_t value) {
    add_attribute(request, type, &value, sizeof value);
}

void add_text(struct request *request, uint16_t type, const char *text) {
    add_attribute(request, type, text, strlen(text) + 1);
}

struct rtattr *begin_nested(struct request *request, uint16_t type) {
    char *body = add_attribute(request, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
    return body ? (struct rtattr *)(body - RTA_LENGTH(0)) : NULL;
}

void end_nested(struct request *request, struct rtattr *nested) {
    if (nested) nested->rta_len = (uint16_t)(request->bytes + request->header.nlmsg_len - (char *)nested);
}

/// One socket per thread, kept: opening one costs more than most requests. -1 with errno set.
static int netlink_socket(void) {
    static _Thread_local int kept = -1;
    if (kept >= 0) return kept;
    kept = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (kept < 0) return -1;
    int on = 1, bytes = 1 << 20;
    // Without the strict check the kernel ignores in which namespace a dump is asked for (4.20).
    setsockopt(kept, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    setsockopt(kept, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return kept;
}

/// Sends under a number that no earlier answer bears. Returns the socket, or -1 with errno set.
static int submit(struct request *request) {
    static _Thread_local uint32_t last_number;
    int socket_ = netlink_socket();
    if (request->full) errno = EMSGSIZE;
    if (request->full || socket_ < 0) return -1;
    request->header.nlmsg_seq = ++last_number;
    ssize_t sent = send(socket_, &request->header, request->header.nlmsg_len, 0);
    return sent < 0 ? -1 : socket_;
}

/// Reads answers to `request` until `each` says so (a positive result), or the end or an error is told.
static int receive(int socket_, const struct request *request, int (*each)(const struct nlmsghdr *, void *),
                   void *context) {
    static _Thread_local _Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
    int result = 0;
    for (;;) {
        ssize_t length = recv(socket_, bytes, sizeof bytes, MSG_TRUNC);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return errno;
        if (length > (ssize_t)sizeof bytes) return EMSGSIZE;
        unsigned left = (unsigned)length;
        for (const struct nlmsghdr *part = (void *)bytes; NLMSG_OK(part, left); part = NLMSG_NEXT(part, left)) {
            if (part->nlmsg_seq != request->header.nlmsg_seq) continue;
            if (part->nlmsg_type == NLMSG_DONE) return result;
            if (part->nlmsg_type == NLMSG_ERROR) return -((const struct nlmsgerr *)NLMSG_DATA(part))->error;
            // After a failure the rest is read all the same, so that the socket is clean for the next request.
            if (each && result == 0) result = each(part, context);
            if (!(part->nlmsg_flags & NLM_F_MULTI)) return result;
        }
    }
}

int send_request(struct request *request) {
    request->header.nlmsg_flags |= NLM_F_ACK;
    int socket_ = submit(request);
    return socket_ < 0 ? errno : receive(socket_, request, NULL, NULL);
}

int dump(struct request *request, int (*each)(const struct nlmsghdr *part, void *context), void *context) {
    request->header.nlmsg_flags |= NLM_F_DUMP;
    int socket_ = submit(request);
    return socket_ < 0 ? errno : receive(socket_, request, each, context);
}

static int take_namespace_id(const struct nlmsghdr *part, void *context) {
    const struct rtgenmsg *body = NLMSG_DATA(part);
    const struct rtattr *attribute = (const void *)((const char *)body + NLMSG_ALIGN(sizeof *body));
    int left = (int)part->nlmsg_len - (int)NLMSG_SPACE(sizeof *body);
    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == NETNSA_NSID) memcpy(context, RTA_DATA(attribute), sizeof(int32_t));
    return 0;
}

int read_namespace_id(int descriptor, int32_t *id) {
    for (int tries = 0; tries < 2; tries++) {
        struct request request;
        begin_request(&request, RTM_GETNSID, 0, sizeof(struct rtgenmsg));
        add_number(&request, NETNSA_FD, (uint32_t)descriptor);
        *id = -1;
        int socket_ = submit(&request);
        int error = socket_ < 0 ? errno : receive(socket_, &request, take_namespace_id, id);
        if (error || *id >= 0) return error;
        begin_request(&request, RTM_NEWNSID, 0, sizeof(struct rtgenmsg));
        add_number(&request, NETNSA_FD, (uint32_t)descriptor);
        add_number(&request, NETNSA_NSID, UINT32_MAX);
        error = send_request(&request);
        if (error && error != EEXIST) return error;
    }
    return ENOENT;
}

int open_network_namespace(int pid) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}
