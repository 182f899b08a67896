#define _GNU_SOURCE
#include <dirent.h>
#include <string.h>

#include "file-operations.h"
#include "file-path.h"
#include "system.h"

/// Each level holds a descriptor open; deeper trees are only made to break programs.
enum { MAX_DEPTH = 410 };

static int remove_levels(int parent, const char *name, int depth);

static int remove_children(DIR *directory, int depth) {
    for (struct dirent *entry; (errno = 0, entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (remove_levels(dirfd(directory), entry->d_name, depth) < 0) return -1;
    }
    return errno ? -1 : 0;
}

/// Removes a file, or a directory with all that is in it, without following links or entering other mounts.
static int remove_levels(int parent, const char *name, int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR) return -1;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST) return -1;
    if (depth == 0) {
        errno = ELOOP;
        return -1;
    }
    int opened = open_plain(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    DIR *directory = opened < 0 ? NULL : fdopendir(opened);
    if (!directory) return -1;
    int result = remove_children(directory, depth - 1);
    int error = errno;
    closedir(directory);
    errno = error;
    return result < 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

int remove_tree(int parent, const char *name) { return remove_levels(parent, name, MAX_DEPTH); }

static int remove_one(const struct place *place, bool recursive) {
    struct stat status;
    if (fstatat(place->directory, place->name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    if (!S_ISDIR(status.st_mode)) return unlinkat(place->directory, place->name, 0);
    if (!recursive) return unlinkat(place->directory, place->name, AT_REMOVEDIR);
    return remove_tree(place->directory, place->name);
}

void file_remove(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    bool recursive = read_u32(&reader) != 0;
    const char *path = read_string(&reader);
    if (!read_complete(&reader) || path[0] != '/') {
        errno = EBADMSG;
        return answer_failure(socket, request, "read the request");
    }
    struct place place;
    if (open_place(path, false, &place) < 0) return answer_failure(socket, request, "remove the file");
    AUTO_CLOSE int directory = place.directory;
    pid_t child = recursive ? fork() : 0;
    if (child < 0) return answer_failure(socket, request, "start a process");
    if (child > 0) return;
    if (remove_one(&place, recursive) < 0) answer_failure(socket, request, "remove the file");
    else send_reply(socket, request->header.id, REPLY_DONE, 0, NULL, 0, -1);
    if (recursive) _exit(0);
}
