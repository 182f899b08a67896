#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "file-operations.h"
#include "system.h"

enum { LIST_PART = 32768, LIST_LIMIT = 64 << 20 };

/// An answer that is sent in parts.
struct list {
    int socket;
    uint32_t id;
    size_t used, sent;
    char part[LIST_PART];
};

static int send_part(struct list *list, enum reply_kind kind) {
    list->sent += list->used;
    if (list->sent > LIST_LIMIT) {
        errno = E2BIG;
        return -1;
    }
    size_t length = list->used;
    list->used = 0;
    return send_reply(list->socket, list->id, kind, 0, list->part, length, -1);
}

static int add(struct list *list, const void *bytes, size_t length) {
    if (list->used + length > sizeof list->part && send_part(list, REPLY_MORE) < 0) return -1;
    memcpy(list->part + list->used, bytes, length);
    list->used += length;
    return 0;
}

static int add_name(struct list *list, int directory, const char *name) {
    (void)directory;
    return add(list, name, strlen(name) + 1);
}

/// What cannot be looked at, such as a mount whose server is gone, is told with its name alone.
static int add_entry(struct list *list, int directory, const char *name) {
    struct stat status = {0};
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 && errno == ENOENT) return 0;
    char target[PATH_MAX] = "";
    ssize_t length = S_ISLNK(status.st_mode) ? readlinkat(directory, name, target, sizeof target - 1) : 0;
    if (length >= 0) target[length] = 0;
    struct file_entry entry = describe(&status);
    if (add(list, &entry, sizeof entry) < 0 || add(list, name, strlen(name) + 1) < 0) return -1;
    return add(list, target, strlen(target) + 1);
}

static int send_all(struct list *list, DIR *directory, int (*add_one)(struct list *, int, const char *)) {
    for (struct dirent *entry; (errno = 0, entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (add_one(list, dirfd(directory), entry->d_name) < 0) return -1;
    }
    return errno ? -1 : send_part(list, REPLY_DONE);
}

static void list_directory(int socket, const struct request *request,
                           int (*add_one)(struct list *, int, const char *)) {
    struct reader reader = read_body(request);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    int found = open_plain(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOCTTY, 0, 0);
    DIR *directory = found < 0 ? NULL : fdopendir(found);
    struct list list = {.socket = socket, .id = request->header.id};
    if (!directory || send_all(&list, directory, add_one) < 0) answer_failure(socket, request, "list the directory");
    if (directory) closedir(directory);
}

void file_list(int socket, const struct request *request) { list_directory(socket, request, add_name); }

void file_list_entries(int socket, const struct request *request) { list_directory(socket, request, add_entry); }
