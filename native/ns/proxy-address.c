#define _GNU_SOURCE
#include "proxy-address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "system.h"

static int parse_unix(const char *path, struct address *address) {
    struct sockaddr_un *name = (struct sockaddr_un *)&address->socket;
    size_t length = strlen(path);
    if (length < 2 || length >= sizeof name->sun_path) return -1;
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, length);
    bool abstract = path[0] == '@';
    if (abstract) name->sun_path[0] = 0;
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    address->transport = TRANSPORT_UNIX;
    return 0;
}

/// Fills in the IP address of `host`, without brackets.
static int parse_host(const char *host, in_port_t port, struct address *address) {
    struct sockaddr_in *four = (struct sockaddr_in *)&address->socket;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address->socket;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        address->length = sizeof *four;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) return -1;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    address->length = sizeof *six;
    return 0;
}

static int parse_internet(const char *text, struct address *address) {
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length == 0 || length >= sizeof host) return -1;
    memcpy(host, text, length);
    host[length] = 0;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end || port == 0 || port > 65535) return -1;
    bool bracketed = host[0] == '[' && host[length - 1] == ']';
    if (bracketed) host[length - 1] = 0;
    return parse_host(bracketed ? host + 1 : host, (in_port_t)port, address);
}

int parse_address(const char *text, struct address *address) {
    memset(address, 0, sizeof *address);
    int result = -1;
    if (strncmp(text, "unix:", 5) == 0) result = parse_unix(text + 5, address);
    if (strncmp(text, "tcp:", 4) == 0) result = parse_internet(text + 4, address);
    if (strncmp(text, "udp:", 4) == 0) {
        result = parse_internet(text + 4, address);
        address->transport = TRANSPORT_UDP;
    }
    if (result < 0) errno = EINVAL;
    return result;
}

bool is_stream(const struct address *address) { return address->transport != TRANSPORT_UDP; }

static int open_socket(const struct address *address) {
    int type = is_stream(address) ? SOCK_STREAM : SOCK_DGRAM;
    return socket(address->socket.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/// Path of a unix socket in the file system, or NULL.
static const char *path_of(const struct address *address) {
    const struct sockaddr_un *name = (const struct sockaddr_un *)&address->socket;
    return address->transport == TRANSPORT_UNIX && name->sun_path[0] ? name->sun_path : NULL;
}

/// Removes a socket file that refuses connections: whoever served it is gone.
static int remove_stale(const struct address *address) {
    struct stat status;
    const char *path = path_of(address);
    if (!path || lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode)) return -1;
    AUTO_CLOSE int probe = open_socket(address);
    if (probe < 0 || connect(probe, (const struct sockaddr *)&address->socket, address->length) == 0) return -1;
    return errno == ECONNREFUSED ? unlink(path) : -1;
}

static int bind_socket(int file, const struct address *address) {
    const struct sockaddr *name = (const struct sockaddr *)&address->socket;
    if (bind(file, name, address->length) == 0) return 0;
    if (errno != EADDRINUSE || remove_stale(address) < 0) {
        errno = EADDRINUSE;
        return -1;
    }
    return bind(file, name, address->length);
}

static int set_socket_owner(const struct address *address, const struct socket_owner *owner) {
    const char *path = path_of(address);
    if (!path) return 0;
    return lchown(path, owner->uid, owner->gid) < 0 ? -1 : chmod(path, owner->mode);
}

int listen_on(const struct address *address, const struct socket_owner *owner) {
    int file = open_socket(address);
    if (file < 0) return -1;
    int one = 1;
    if (address->transport != TRANSPORT_UNIX) setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    mode_t mask = umask(0177);
    bool done = bind_socket(file, address) == 0 && set_socket_owner(address, owner) == 0 &&
                (!is_stream(address) || listen(file, SOMAXCONN) == 0);
    int error = errno;
    umask(mask);
    if (done) return file;
    close(file);
    errno = error;
    return -1;
}

int connect_to(const struct address *address) {
    int file = open_socket(address);
    if (file < 0) return -1;
    if (connect(file, (const struct sockaddr *)&address->socket, address->length) == 0 || errno == EINPROGRESS)
        return file;
    int error = errno;
    close(file);
    errno = error;
    return -1;
}
