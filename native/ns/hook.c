#define _GNU_SOURCE
#include "hook.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "system.h"

static int tell(const char *path, const char *line, size_t length) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    AUTO_CLOSE int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A daemon that hangs must not keep the container from ending.
    struct timeval patience = {.tv_sec = 5};
    if (stream < 0 || setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0) return -1;
    if (connect(stream, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    return send(stream, line, length, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

static int leave_note(const char *run_directory, const char *target) {
    AUTO_CLOSE int directory = open(run_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int file =
        openat(directory, "target.new", O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0 || write(file, target, strlen(target)) != (ssize_t)strlen(target)) return -1;
    return renameat(directory, "target.new", directory, "target");
}

int hook(const char *socket_path, const char *run_directory, const char *id, const char *name) {
    const char *asked = getenv("LXC_TARGET");
    const char *target = asked && strcmp(asked, "reboot") == 0 ? "reboot" : "stop";
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s %s\n", id, name, target);
    bool fits = length > 0 && (size_t)length < sizeof line;
    if (!fits || tell(socket_path, line, (size_t)length) < 0) leave_note(run_directory, target);
    return strcmp(name, "post-stop") == 0 && strcmp(target, "reboot") == 0 ? 1 : 0;
}
