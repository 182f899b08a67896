#define _GNU_SOURCE
#include "message.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "system.h"

static char received[MAX_MESSAGE];

static void take_descriptors(struct msghdr *message, struct request *request) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        unsigned count = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            if (request->descriptor_count < MAX_DESCRIPTORS)
                request->descriptors[request->descriptor_count++] = descriptor;
            else
                close(descriptor);
        }
    }
}

static int map_body(struct request *request) {
    if (request->descriptor_count == 0) return -1;
    AUTO_CLOSE int file = request->descriptors[--request->descriptor_count];
    struct stat status;
    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > MAX_BODY)
        return -1;
    void *mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapping == MAP_FAILED) return -1;
    request->mapping = mapping;
    request->body = mapping;
    request->length = (size_t)status.st_size;
    return 0;
}

/// Receives one message; returns its length, 0 at the end, -1 on failure.
static ssize_t receive_message(int socket, struct request *request, bool *whole) {
    char control[CMSG_SPACE(sizeof(int) * 8)];
    struct iovec part = {received, sizeof received};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length;
    do length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length <= 0) return length;
    memset(request, 0, sizeof *request);
    take_descriptors(&message, request);
    *whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    return length;
}

int receive_request(int socket, struct request *request) {
    for (;;) {
        bool whole = false;
        ssize_t length = receive_message(socket, request, &whole);
        if (length <= 0) return (int)length;
        if ((size_t)length >= sizeof request->header) memcpy(&request->header, received, sizeof request->header);
        request->body = received + sizeof request->header;
        request->length = (size_t)length - sizeof request->header;
        bool good = whole && (size_t)length >= sizeof request->header && request->header.version == PROTOCOL_VERSION;
        if (good && (request->header.flags & REQUEST_BODY_IN_FILE)) good = map_body(request) == 0;
        if (good) return 1;
        release_request(request);
        if ((size_t)length >= sizeof request->header &&
            send_failure(socket, request->header.id, EBADMSG, "read the request") < 0)
            return -1;
    }
}

void release_request(struct request *request) {
    for (unsigned i = 0; i < request->descriptor_count; i++) close_descriptor(&request->descriptors[i]);
    request->descriptor_count = 0;
    if (request->mapping) munmap(request->mapping, request->length);
    request->mapping = NULL;
}

int send_reply(int socket, uint32_t id, enum reply_kind kind, int32_t value, const void *payload, size_t length,
               int descriptor) {
    struct reply_header header = {.version = PROTOCOL_VERSION, .kind = (uint8_t)kind, .id = id, .value = value};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)payload, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

int send_failure(int socket, uint32_t id, int error, const char *stage) {
    return send_reply(socket, id, REPLY_FAILED, error, stage, strlen(stage), -1);
}

struct reader read_body(const struct request *request) {
    return (struct reader){.at = request->body, .end = request->body + request->length};
}

static const void *take(struct reader *reader, size_t length) {
    if (reader->bad || (size_t)(reader->end - reader->at) < length) {
        reader->bad = true;
        return NULL;
    }
    const void *at = reader->at;
    reader->at += length;
    return at;
}

uint32_t read_u32(struct reader *reader) {
    uint32_t value = 0;
    const void *at = take(reader, sizeof value);
    if (at) memcpy(&value, at, sizeof value);
    return value;
}

uint64_t read_u64(struct reader *reader) {
    uint64_t value = 0;
    const void *at = take(reader, sizeof value);
    if (at) memcpy(&value, at, sizeof value);
    return value;
}

const char *read_string(struct reader *reader) {
    const char *end = reader->bad ? NULL : memchr(reader->at, 0, (size_t)(reader->end - reader->at));
    if (!end) {
        reader->bad = true;
        return "";
    }
    return take(reader, (size_t)(end - reader->at) + 1);
}

const char **read_strings(struct reader *reader, uint32_t count) {
    // Each string takes a byte at least, so a count beyond that is a lie and must not become memory.
    if (reader->bad || count > (size_t)(reader->end - reader->at)) {
        reader->bad = true;
        return NULL;
    }
    const char **strings = calloc((size_t)count + 1, sizeof *strings);
    if (!strings) {
        reader->bad = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) strings[i] = read_string(reader);
    return strings;
}

bool read_complete(const struct reader *reader) { return !reader->bad && reader->at == reader->end; }
