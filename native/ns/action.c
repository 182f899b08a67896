#define _GNU_SOURCE
#include "action.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "system.h"

static const char link_name[] = "/criu-step";

bool is_action(const char *name) {
    const char *last = strrchr(name, '/');
    return last && strcmp(last, link_name) == 0;
}

static int connect_beside(const char *link) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder = (int)(strlen(link) - strlen(link_name));
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%.*s/socket", folder, link);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) return -1;
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) == 0) return connection;
    close(connection);
    return -1;
}

int action(const char *link) {
    const char *step = getenv("CRTOOLS_SCRIPT_ACTION");
    AUTO_CLOSE int connection = connect_beside(link);
    char answer = 0;
    if (connection < 0 || dprintf(connection, "%s\n", step ? step : "") < 0) return 1;
    return read(connection, &answer, 1) == 1 && answer == '+' ? 0 : 1;
}
