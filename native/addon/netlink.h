// Requests to the kernel's link and address tables (rtnetlink(7)).
#pragma once

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
    /// set when an attribute did not fit; sending then fails with EMSGSIZE
    bool full;
    union {
        struct nlmsghdr header;
        char bytes[2048];
    };
};

/// Begins a request and returns its body of `size` bytes, zeroed (struct ifinfomsg, ifaddrmsg, rtgenmsg).
void *begin_request(struct request *request, uint16_t type, uint16_t flags, size_t size);
/// Adds an attribute and returns where its data begins, or NULL when it does not fit.
void *add_attribute(struct request *request, uint16_t type, const void *data, size_t length);
void add_number(struct request *request, uint16_t type, uint32_t value);
void add_text(struct request *request, uint16_t type, const char *text);
/// A nested attribute holds what is added between these two.
struct rtattr *begin_nested(struct request *request, uint16_t type);
void end_nested(struct request *request, struct rtattr *nested);

/// Sends a request and waits for its acknowledgement. Returns 0 or an errno.
int send_request(struct request *request);
/// Sends a dump request and calls `each` for every part. Returns 0 or an errno.
int dump(struct request *request, int (*each)(const struct nlmsghdr *part, void *context), void *context);
/// Number of the network namespace open at `descriptor` as this one sees it, given to it when it has none.
int read_namespace_id(int descriptor, int32_t *id);
/// The network namespace of a process; -1 with errno set.
int open_network_namespace(int pid);
