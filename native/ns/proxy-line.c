#define _GNU_SOURCE
#include "proxy-line.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

struct end {
    char host[INET6_ADDRSTRLEN];
    unsigned port;
};

/// Returns 4 or 6 for the version of IP, 0 for anything else.
static int describe(const struct sockaddr_storage *address, struct end *end) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, end->host, sizeof end->host);
        end->port = ntohs(four->sin_port);
        return 4;
    }
    if (address->ss_family != AF_INET6) return 0;
    inet_ntop(AF_INET6, &six->sin6_addr, end->host, sizeof end->host);
    end->port = ntohs(six->sin6_port);
    return 6;
}

size_t proxy_line(int accepted, char line[PROXY_LINE_BYTES]) {
    struct sockaddr_storage client, server;
    socklen_t client_length = sizeof client, server_length = sizeof server;
    struct end from, to;
    int version = 0;
    if (getpeername(accepted, (struct sockaddr *)&client, &client_length) == 0 &&
        getsockname(accepted, (struct sockaddr *)&server, &server_length) == 0 && describe(&server, &to) != 0)
        version = describe(&client, &from);
    int length = version == 0 ? snprintf(line, PROXY_LINE_BYTES, "PROXY UNKNOWN\r\n")
                              : snprintf(line, PROXY_LINE_BYTES, "PROXY TCP%d %s %s %u %u\r\n", version, from.host,
                                         to.host, from.port, to.port);
    return (size_t)length;
}
