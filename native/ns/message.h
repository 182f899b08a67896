// Messages between the daemon and its helpers over SOCK_SEQPACKET; src/server/runtime/namespace-protocol.ts is the other end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROTOCOL_VERSION = 1, MAX_MESSAGE = 65536, MAX_BODY = 8 << 20, MAX_DESCRIPTORS = 4 };

/// Flag of a request: its fields are in the file of the last descriptor, because they are too long for a message.
enum { REQUEST_BODY_IN_FILE = 1 };

struct request_header {
    uint8_t version;
    uint8_t operation;
    uint16_t flags;
    uint32_t id;
};

enum reply_kind { REPLY_DONE = 0, REPLY_EXITED = 1, REPLY_FAILED = 2, REPLY_MORE = 3 };

struct reply_header {
    uint8_t version;
    uint8_t kind;
    uint16_t reserved;
    uint32_t id;
    int32_t value;
};

/// A request as received. `body` points into memory that lives until release_request.
struct request {
    struct request_header header;
    const char *body;
    size_t length;
    int descriptors[MAX_DESCRIPTORS];
    unsigned descriptor_count;
    void *mapping;
};

/// Receives one request. Returns 1, 0 when the peer has closed, or -1 when the socket failed. A message that cannot
/// be understood is answered with EBADMSG (when it has an id) and skipped.
int receive_request(int socket, struct request *request);
void release_request(struct request *request);

/// Sends a reply, waiting for room. `descriptor` may be -1. Returns 0 or -1.
int send_reply(int socket, uint32_t id, enum reply_kind kind, int32_t value, const void *payload, size_t length,
               int descriptor);
int send_failure(int socket, uint32_t id, int error, const char *stage);

/// Reads fields one after the other; after the first that is cut short everything is zero and `bad` is set.
struct reader {
    const char *at;
    const char *end;
    bool bad;
};

struct reader read_body(const struct request *request);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
/// A NUL-terminated string, which stays in the request's memory.
const char *read_string(struct reader *reader);
/// `count` strings as a NULL-terminated vector from malloc, or NULL when they are not all there.
const char **read_strings(struct reader *reader, uint32_t count);
/// True when every field was there and nothing follows.
bool read_complete(const struct reader *reader);
