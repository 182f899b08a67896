#define _GNU_SOURCE
#include "file-operations.h"

#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "file-path.h"
#include "system.h"

void answer_failure(int socket, const struct request *request, const char *stage) {
    send_failure(socket, request->header.id, errno, stage);
}

void answer(int socket, const struct request *request, const void *payload, size_t length, int descriptor) {
    send_reply(socket, request->header.id, REPLY_DONE, 0, payload, length, descriptor);
}

bool understood(int socket, const struct request *request, const struct reader *reader, const char *path) {
    if (read_complete(reader) && path[0] == '/') return true;
    send_failure(socket, request->header.id, EBADMSG, "read the request");
    return false;
}

struct owner read_owner(struct reader *reader) {
    struct owner owner = {.uid = read_u32(reader)};
    owner.gid = read_u32(reader);
    owner.mode = read_u32(reader);
    return owner;
}

int set_owner(int file, const struct owner *owner) {
    if ((owner->uid != KEEP || owner->gid != KEEP) && fchown(file, owner->uid, owner->gid) < 0) return -1;
    // After the owner, because changing that clears the set-id bits.
    return owner->mode != KEEP && fchmod(file, owner->mode & 07777) < 0 ? -1 : 0;
}

struct file_entry describe(const struct stat *status) {
    return (struct file_entry){.mode = status->st_mode,
                               .uid = status->st_uid,
                               .gid = status->st_gid,
                               .device = major(status->st_rdev) << 20 | minor(status->st_rdev),
                               .size = status->st_size,
                               .modified = status->st_mtim.tv_sec,
                               .changed = status->st_ctim.tv_sec,
                               .inode = status->st_ino,
                               .modified_ns = (uint32_t)status->st_mtim.tv_nsec,
                               .changed_ns = (uint32_t)status->st_ctim.tv_nsec};
}

void file_stat(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    bool follow = read_u32(&reader) != 0;
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct stat status;
    AUTO_CLOSE int file = open_path(path, follow, &status);
    if (file < 0) return answer_failure(socket, request, "look at the file");
    struct file_entry entry = describe(&status);
    answer(socket, request, &entry, sizeof entry, -1);
}

// Not overlayfs, whose layers may be anything.
bool served_by_kernel(int file) {
    static const long known[] = {BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC,
                                 F2FS_SUPER_MAGIC,  0x2fc12fc1 /* zfs */, 0xca451a4e /* bcachefs */};
    struct statfs system;
    if (fstatfs(file, &system) < 0) return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((unsigned long)system.f_type == (unsigned long)known[i]) return true;
    return false;
}

/// Answers with a pipe that a forked process fills from the file.
static void read_through_pipe(int socket, const struct request *request, int file, const struct file_entry *entry) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return answer_failure(socket, request, "create a pipe");
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        static char buffer[1 << 18];
        for (ssize_t length; (length = read(file, buffer, sizeof buffer)) > 0;)
            for (ssize_t at = 0, sent; at < length; at += sent)
                if ((sent = write(ends[1], buffer + at, (size_t)(length - at))) < 0) _exit(1);
        _exit(0);
    }
    close(ends[1]);
    if (child < 0) answer_failure(socket, request, "start a process");
    else answer(socket, request, entry, sizeof *entry, ends[0]);
    close(ends[0]);
}

void file_read(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct stat status;
    AUTO_CLOSE int found = open_path(path, true, &status);
    if (found < 0) return answer_failure(socket, request, "open the file");
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return answer_failure(socket, request, "open the file");
    }
    AUTO_CLOSE int file = reopen(found, O_RDONLY);
    if (file < 0) return answer_failure(socket, request, "open the file");
    struct file_entry entry = describe(&status);
    if (served_by_kernel(file)) return answer(socket, request, &entry, sizeof entry, file);
    read_through_pipe(socket, request, file, &entry);
}

void file_read_link(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct stat status;
    char target[PATH_MAX];
    AUTO_CLOSE int link = open_path(path, false, &status);
    ssize_t length = link < 0 ? -1 : readlinkat(link, "", target, sizeof target);
    if (link >= 0 && length < 0 && errno == ENOENT) errno = EINVAL;
    if (length < 0) return answer_failure(socket, request, "read the link");
    answer(socket, request, target, (size_t)length, -1);
}

void file_make_directory(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    struct owner owner = read_owner(&reader);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct place place;
    struct stat status;
    AUTO_CLOSE int there = open_path(path, true, &status);
    if (there >= 0 && S_ISDIR(status.st_mode)) return answer(socket, request, NULL, 0, -1);
    if (open_place(path, true, &place) < 0) return answer_failure(socket, request, "create the directory");
    AUTO_CLOSE int parent = place.directory;
    if (mkdirat(parent, place.name, 0700) < 0) return answer_failure(socket, request, "create the directory");
    AUTO_CLOSE int made = openat(parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct owner chosen = {owner.uid == KEEP ? 0 : owner.uid, owner.gid == KEEP ? 0 : owner.gid,
                           owner.mode == KEEP ? 0755 : owner.mode};
    if (made < 0 || set_owner(made, &chosen) < 0) {
        int error = errno;
        unlinkat(parent, place.name, AT_REMOVEDIR);
        errno = error;
        return answer_failure(socket, request, "set the owner");
    }
    answer(socket, request, NULL, 0, -1);
}

void file_make_link(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    const char *path = read_string(&reader), *target = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct place place;
    if (open_place(path, false, &place) < 0) return answer_failure(socket, request, "create the link");
    AUTO_CLOSE int parent = place.directory;
    if (symlinkat(target, parent, place.name) < 0) return answer_failure(socket, request, "create the link");
    answer(socket, request, NULL, 0, -1);
}
