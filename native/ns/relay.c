#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "cage.h"

enum { channel = 3 };

/// Moves what is there; 0 at the end of it, -1 when the other side is gone.
static ssize_t carry(int from, int to) {
    static char buffer[256 * 1024];
    ssize_t length = read(from, buffer, sizeof buffer);
    if (length < 0 && errno == EINTR) return 1;
    for (ssize_t at = 0; at < length;) {
        ssize_t written = write(to, buffer + at, (size_t)(length - at));
        if (written < 0 && errno != EINTR) return -1;
        if (written > 0) at += written;
    }
    return length;
}

/// Ends with the channel, as a remote shell ends with its remote program: the program waits for that with its own
/// output still open.
int relay(void) {
    bool has_input = true;
    for (;;) {
        struct pollfd wanted[] = {{.fd = channel, .events = POLLIN}, {.fd = has_input ? 0 : -1, .events = POLLIN}};
        if (poll(wanted, 2, -1) < 0 && errno != EINTR) return 1;
        if (has_input && wanted[1].revents) has_input = carry(STDIN_FILENO, channel) > 0;
        if (!wanted[0].revents) continue;
        ssize_t length = carry(channel, STDOUT_FILENO);
        if (length <= 0) return length < 0;
    }
}
