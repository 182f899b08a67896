// Addresses that a proxy listens on and connects to.
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

enum transport { TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_UNIX };

struct address {
    enum transport transport;
    struct sockaddr_storage socket;
    socklen_t length;
};

/// Owner and permissions of a unix socket that is made.
struct socket_owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

/// Parses "tcp:192.0.2.1:80", "udp:[2001:db8::1]:53", "unix:/path" or "unix:@name". Returns 0, or -1 with EINVAL.
int parse_address(const char *text, struct address *address);
bool is_stream(const struct address *address);
/// A socket that listens, in the namespaces of the caller. A socket file that nobody serves is replaced. Returns -1 on
/// failure.
int listen_on(const struct address *address, const struct socket_owner *owner);
/// A socket whose connection is made or under way (EINPROGRESS is no failure). Returns -1 on failure.
int connect_to(const struct address *address);
