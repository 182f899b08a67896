#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "file-operations.h"
#include "file-path.h"
#include "system.h"

struct write_job {
    struct place place;
    /// the new file beside the old one, to be renamed over it; empty when the old one is written in place
    char temporary[32];
    int file;
    struct owner owner;
};

/// O_PATH descriptor of the regular file that is there; -1 with ENOENT when there is none.
static int find_existing(const struct place *place, struct stat *status) {
    AUTO_CLOSE int found = openat(place->directory, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (found < 0 || fstat(found, status) < 0) return -1;
    if (!S_ISREG(status->st_mode)) {
        errno = S_ISDIR(status->st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    int kept = found;
    found = -1;
    return kept;
}

static bool is_mount_point(int file) {
    struct statx status;
    if (statx(file, "", AT_EMPTY_PATH, 0, &status) < 0) return false;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

static int create_beside(struct write_job *job) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) return -1;
    snprintf(job->temporary, sizeof job->temporary, ".new-%016llx", (unsigned long long)random);
    int file = openat(job->place.directory, job->temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) job->temporary[0] = 0;
    return file;
}

/// Opens what the content goes to. A new file beside the old one cannot replace a mount point, nor be made in /proc.
static int open_content(struct write_job *job, bool append, int existing) {
    if (existing < 0) return create_beside(job);
    if (append) return reopen(existing, O_WRONLY | O_APPEND);
    if (is_mount_point(existing)) return reopen(existing, O_WRONLY | O_TRUNC);
    int file = create_beside(job);
    bool refused = file < 0 && (errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOENT);
    return refused ? reopen(existing, O_WRONLY | O_TRUNC) : file;
}

static int prepare(struct write_job *job, const struct owner *asked, bool append) {
    struct stat status;
    AUTO_CLOSE int existing = find_existing(&job->place, &status);
    if (existing < 0 && errno != ENOENT) return -1;
    bool keeps = existing >= 0;
    job->owner.uid = asked->uid != KEEP ? asked->uid : keeps ? status.st_uid : 0;
    job->owner.gid = asked->gid != KEEP ? asked->gid : keeps ? status.st_gid : 0;
    job->owner.mode = asked->mode != KEEP ? asked->mode : keeps ? status.st_mode & 07777 : 0644;
    job->file = open_content(job, append, existing);
    if (job->file < 0) return -1;
    // A file written in place keeps what nobody asked to change: in /proc that cannot even be set.
    if (!job->temporary[0]) job->owner = *asked;
    return 0;
}

static int copy_content(int from, int to) {
    static char buffer[1 << 18];
    for (;;) {
        ssize_t length = read(from, buffer, sizeof buffer);
        if (length == 0) return 0;
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return -1;
        for (ssize_t at = 0; at < length;) {
            ssize_t written = write(to, buffer + at, (size_t)(length - at));
            if (written < 0) return -1;
            at += written;
        }
    }
}

static int finish(const struct write_job *job, int content, int verdict) {
    char byte;
    if (copy_content(content, job->file) < 0) return -1;
    if (read(verdict, &byte, 1) != 1) {
        errno = ECANCELED;
        return -1;
    }
    if (set_owner(job->file, &job->owner) < 0) return -1;
    if (!job->temporary[0]) return 0;
    return renameat(job->place.directory, job->temporary, job->place.directory, job->place.name);
}

static void __attribute__((noreturn)) write_and_answer(int socket, const struct request *request,
                                                       const struct write_job *job) {
    int result = finish(job, request->descriptors[0], request->descriptors[1]);
    int error = errno;
    if (result < 0 && job->temporary[0]) unlinkat(job->place.directory, job->temporary, 0);
    if (result < 0) send_failure(socket, request->header.id, error, "write the file");
    else send_reply(socket, request->header.id, REPLY_DONE, 0, NULL, 0, -1);
    _exit(0);
}

void file_write(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    bool append = read_u32(&reader) != 0;
    struct owner asked = read_owner(&reader);
    const char *path = read_string(&reader);
    if (!read_complete(&reader) || path[0] != '/' || request->descriptor_count != 2) {
        errno = EBADMSG;
        return answer_failure(socket, request, "read the request");
    }
    struct write_job job = {.file = -1};
    if (open_place(path, true, &job.place) < 0) {
        // A path that ends in no name can only be a directory.
        if (errno == EINVAL) errno = EISDIR;
        return answer_failure(socket, request, "open the file");
    }
    AUTO_CLOSE int parent = job.place.directory;
    if (prepare(&job, &asked, append) < 0) return answer_failure(socket, request, "open the file");
    AUTO_CLOSE int file = job.file;
    pid_t child = fork();
    if (child == 0) write_and_answer(socket, request, &job);
    if (child > 0) return;
    int error = errno;
    if (job.temporary[0]) unlinkat(parent, job.temporary, 0);
    errno = error;
    answer_failure(socket, request, "start a process");
}
