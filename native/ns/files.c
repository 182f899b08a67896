#define _GNU_SOURCE
#include "files.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "file-operations.h"
#include "file-path.h"
#include "file-root.h"
#include "system.h"

static bool has_word(int count, char **arguments, const char *word) {
    for (int i = 4; i < count; i++)
        if (strcmp(arguments[i], word) == 0) return true;
    return false;
}

static int enter(int count, char **arguments, const char **stage) {
    *stage = "read the arguments";
    if (count == 3 && strcmp(arguments[0], "running") == 0) {
        struct target target = {.init = atoi(arguments[1]), .start_time = strtoull(arguments[2], NULL, 10)};
        return enter_running(&target, stage);
    }
    if (count >= 4 && strcmp(arguments[0], "stopped") == 0) {
        struct root_view view = {
            .users = arguments[2],
            .groups = arguments[3],
            .host_ids = has_word(count, arguments, "host-ids"),
            .read_only = has_word(count, arguments, "read-only"),
        };
        return enter_stopped(arguments[1], &view, stage);
    }
    errno = EINVAL;
    return -1;
}

static void serve_one(int socket, const struct request *request) {
    switch ((enum file_operation)request->header.operation) {
        case FILE_STAT: return file_stat(socket, request);
        case FILE_READ: return file_read(socket, request);
        case FILE_READ_LINK: return file_read_link(socket, request);
        case FILE_LIST: return file_list(socket, request);
        case FILE_LIST_ENTRIES: return file_list_entries(socket, request);
        case FILE_OPEN_PARENT: return file_open_parent(socket, request);
        case FILE_RESTORE: return file_restore(socket, request);
        case FILE_WRITE: return file_write(socket, request);
        case FILE_MAKE_DIRECTORY: return file_make_directory(socket, request);
        case FILE_MAKE_LINK: return file_make_link(socket, request);
        case FILE_REMOVE: return file_remove(socket, request);
        case FILE_OPEN: return file_open(socket, request);
        case FILE_SET_ATTRIBUTES: return file_set_attributes(socket, request);
        case FILE_RENAME: return file_rename(socket, request);
    }
    send_failure(socket, request->header.id, EBADMSG, "read the request");
}

int serve_files(int socket, int count, char **arguments) {
    const char *stage = "remember the descriptors";
    if (remember_descriptors() < 0 || enter(count, arguments, &stage) < 0) {
        send_failure(socket, 0, errno, stage);
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    // Number 0 is nobody's request: it says that the server is inside.
    if (send_reply(socket, 0, REPLY_DONE, 0, NULL, 0, -1) < 0) return 1;
    for (struct request request; receive_request(socket, &request) == 1; release_request(&request))
        serve_one(socket, &request);
    return 0;
}
