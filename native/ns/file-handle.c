#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file-operations.h"
#include "file-path.h"
#include "system.h"

static int access_flags(uint32_t asked) {
    bool writes = (asked & OPEN_WRITE) != 0;
    int flags = writes ? ((asked & OPEN_READ) != 0 ? O_RDWR : O_WRONLY) : O_RDONLY;
    return flags | ((asked & OPEN_APPEND) != 0 ? O_APPEND : 0);
}

/// Makes the file that `path` names; EEXIST when there is one.
static int create_file(const char *path, uint32_t asked, const struct owner *owner) {
    struct place place;
    if (open_place(path, true, &place) < 0) return -1;
    AUTO_CLOSE int parent = place.directory;
    int flags = access_flags(asked) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int file = openat(parent, place.name, flags, 0600);
    if (file < 0) return -1;
    struct owner chosen = {owner->uid == KEEP ? 0 : owner->uid, owner->gid == KEEP ? 0 : owner->gid,
                           owner->mode == KEEP ? 0644 : owner->mode};
    if (set_owner(file, &chosen) == 0) return file;
    int error = errno;
    close(file);
    unlinkat(parent, place.name, 0);
    errno = error;
    return -1;
}

static int open_existing(const char *path, uint32_t asked) {
    struct stat status;
    AUTO_CLOSE int found = open_path(path, true, &status);
    if (found < 0) return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    return reopen(found, access_flags(asked) | ((asked & OPEN_TRUNCATE) != 0 ? O_TRUNC : 0));
}

static int open_asked(const char *path, uint32_t asked, const struct owner *owner) {
    if ((asked & OPEN_CREATE) == 0) return open_existing(path, asked);
    int file = create_file(path, asked, owner);
    return file < 0 && errno == EEXIST && (asked & OPEN_EXCLUSIVE) == 0 ? open_existing(path, asked) : file;
}

void file_open(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    uint32_t asked = read_u32(&reader);
    struct owner owner = read_owner(&reader);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    AUTO_CLOSE int file = open_asked(path, asked, &owner);
    if (file < 0) return answer_failure(socket, request, "open the file");
    if (!served_by_kernel(file)) {
        errno = EOPNOTSUPP;
        return answer_failure(socket, request, "open the file");
    }
    answer(socket, request, NULL, 0, file);
}

static int change_size(int file, const struct stat *status, uint64_t size) {
    if (!S_ISREG(status->st_mode)) {
        errno = EINVAL;
        return -1;
    }
    AUTO_CLOSE int writable = reopen(file, O_WRONLY);
    return writable < 0 ? -1 : ftruncate(writable, (off_t)size);
}

static int change(int file, const struct stat *status, const struct file_change *change) {
    if (change->size_given && change_size(file, status, change->size) < 0) return -1;
    const struct owner *owner = &change->owner;
    if ((owner->uid != KEEP || owner->gid != KEEP) && fchownat(file, "", owner->uid, owner->gid, AT_EMPTY_PATH) < 0)
        return -1;
    if (owner->mode != KEEP && !S_ISLNK(status->st_mode) && change_mode(file, owner->mode & 07777) < 0) return -1;
    return change->times_given ? change_times(file, (time_t)change->accessed, (time_t)change->modified) : 0;
}

void file_set_attributes(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    struct file_change asked = {.owner = read_owner(&reader)};
    bool follow = read_u32(&reader) != 0;
    asked.size_given = read_u32(&reader) != 0;
    asked.times_given = read_u32(&reader) != 0;
    asked.size = read_u64(&reader);
    asked.accessed = read_u64(&reader);
    asked.modified = read_u64(&reader);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct stat status;
    AUTO_CLOSE int file = open_path(path, follow, &status);
    if (file < 0 || change(file, &status, &asked) < 0) return answer_failure(socket, request, "change the file");
    answer(socket, request, NULL, 0, -1);
}

void file_rename(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    bool replace = read_u32(&reader) != 0;
    const char *from = read_string(&reader), *to = read_string(&reader);
    if (!understood(socket, request, &reader, from)) return;
    struct place source, target;
    if (to[0] != '/') errno = EINVAL;
    if (to[0] != '/' || open_place(from, false, &source) < 0) return answer_failure(socket, request, "rename the file");
    AUTO_CLOSE int source_directory = source.directory;
    if (open_place(to, false, &target) < 0) return answer_failure(socket, request, "rename the file");
    AUTO_CLOSE int target_directory = target.directory;
    unsigned flags = replace ? 0 : RENAME_NOREPLACE;
    if (renameat2(source_directory, source.name, target_directory, target.name, flags) < 0)
        return answer_failure(socket, request, "rename the file");
    answer(socket, request, NULL, 0, -1);
}
