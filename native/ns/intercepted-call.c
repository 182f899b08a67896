#define _GNU_SOURCE
#include "intercepted-call.h"

#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "system.h"

#ifndef SECCOMP_USER_NOTIF_FLAG_CONTINUE
#define SECCOMP_USER_NOTIF_FLAG_CONTINUE 1
#endif

/// As liblxc 4 and 5 send it: this, the notice, room for the answer, and a cookie.
struct monitor_header {
    uint64_t reserved;
    int32_t monitor, init;
    struct seccomp_notif_sizes sizes;
    uint64_t cookie_length;
};

static const struct {
    uint32_t architecture;
    int numbers[5];
} numbering[] = {
    {AUDIT_ARCH_X86_64, {-1, 133, 259, 188, 144}},
    {AUDIT_ARCH_I386, {-1, 14, 297, 226, 156}},
    {AUDIT_ARCH_AARCH64, {-1, -1, 33, 5, 119}},
    {AUDIT_ARCH_ARM, {-1, 14, 324, 226, 156}},
};

enum call_kind kind_of_call(const struct call *call) {
    const struct seccomp_data *data = &call->notice.data;
    for (size_t i = 0; i < sizeof numbering / sizeof *numbering; i++)
        for (int kind = CALL_MKNOD; kind <= CALL_SCHED_SETSCHEDULER; kind++)
            if (numbering[i].architecture == data->arch && numbering[i].numbers[kind] == data->nr)
                return (enum call_kind)kind;
    return CALL_OTHER;
}

/// How the kernel wants to be told a verdict.
static struct seccomp_notif_resp response(uint64_t id, int verdict) {
    struct seccomp_notif_resp answer = {.id = id};
    if (verdict == VERDICT_CONTINUE)
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        answer.error = -verdict;
    return answer;
}

int receive_from_listener(int listener, struct call *call) {
    *call = (struct call){0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call->notice) < 0) return errno == ENOENT || errno == EINTR ? 0 : -1;
    char path[32];
    snprintf(path, sizeof path, "/proc/%u", call->notice.pid);
    call->listener = fcntl(listener, F_DUPFD_CLOEXEC, 3);
    call->process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    call->memory = call->process < 0 ? -1 : openat(call->process, "mem", O_RDONLY | O_CLOEXEC);
    return 1;
}

void answer_listener(int listener, uint64_t id, int verdict) {
    struct seccomp_notif_resp answer = response(id, verdict);
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void take_descriptors(struct msghdr *message, int files[], size_t count) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t length = header->cmsg_len - CMSG_LEN(0);
        memcpy(files, CMSG_DATA(header), length < count * sizeof *files ? length : count * sizeof *files);
    }
}

int receive_from_monitor(int socket, struct call *call) {
    *call = (struct call){0};
    struct monitor_header header = {0};
    struct seccomp_notif_resp room;
    struct iovec parts[] = {{&header, sizeof header}, {&call->notice, sizeof call->notice}, {&room, sizeof room}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 3, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length <= 0) return -1;
    int files[3] = {0};
    take_descriptors(&message, files, 3);
    call->process = files[0];
    call->memory = files[1];
    call->listener = files[2];
    bool good = (size_t)length >= sizeof header + sizeof call->notice + sizeof room && files[2] > 0 &&
                header.sizes.seccomp_notif == sizeof call->notice && header.sizes.seccomp_notif_resp == sizeof room &&
                header.sizes.seccomp_data == sizeof call->notice.data;
    return good ? 1 : 0;
}

int answer_monitor(int socket, const struct call *call, int verdict) {
    struct monitor_header header = {.sizes = {.seccomp_notif = sizeof(struct seccomp_notif),
                                              .seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
                                              .seccomp_data = sizeof(struct seccomp_data)}};
    struct seccomp_notif notice = call->notice;
    struct seccomp_notif_resp answer = response(notice.id, verdict);
    // Without the cookie: with it liblxc would not take the answer.
    struct iovec parts[] = {{&header, sizeof header}, {&notice, sizeof notice}, {&answer, sizeof answer}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

void release_call(struct call *call) {
    if (call->process > 0) close(call->process);
    if (call->memory > 0) close(call->memory);
    if (call->listener > 0) close(call->listener);
    call->process = call->memory = call->listener = 0;
}

bool call_waits(const struct call *call) {
    uint64_t id = call->notice.id;
    return ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int read_caller_bytes(const struct call *call, uint64_t address, void *bytes, size_t size) {
    return address <= INT64_MAX && pread(call->memory, bytes, size, (off_t)address) == (ssize_t)size ? 0 : EFAULT;
}

int read_caller_text(const struct call *call, uint64_t address, char *text, size_t size, int too_long) {
    const size_t page = 4096;
    for (size_t done = 0; done < size;) {
        // Page by page, because the one behind the text need not be there.
        size_t rest = page - (size_t)((address + done) % page), part = rest < size - done ? rest : size - done;
        int error = read_caller_bytes(call, address + done, text + done, part);
        if (error) return error;
        if (memchr(text + done, 0, part)) return 0;
        done += part;
    }
    return too_long;
}
