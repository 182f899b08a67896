#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "file-operations.h"
#include "file-path.h"
#include "file-swap.h"
#include "system.h"
#include "tree-copy.h"

void file_open_parent(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    const char *path = read_string(&reader);
    if (!understood(socket, request, &reader, path)) return;
    struct place place;
    struct stat status;
    if (open_place(path, false, &place) < 0) return answer_failure(socket, request, "open the folder of the file");
    AUTO_CLOSE int parent = place.directory;
    if (fstatat(parent, place.name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return answer_failure(socket, request, "look at the file");
    answer(socket, request, place.name, strlen(place.name), parent);
}

/// What is to be restored, and where.
struct restore_job {
    int source;
    const char *name;
    struct place place;
    bool keep;
    struct tree_copy copy;
    char staging[32];
};

/// Makes a directory beside the target that nobody but root enters: no user of the guest can change what is in it, also
/// where he may change the target's directory.
static int open_staging(struct restore_job *job) {
    uint64_t random;
    struct stat status;
    if (getrandom(&random, sizeof random, 0) != sizeof random) return -1;
    snprintf(job->staging, sizeof job->staging, ".restore-%016llx", (unsigned long long)random);
    if (mkdirat(job->place.directory, job->staging, 0700) < 0) return -1;
    int staging = open_plain(job->place.directory, job->staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0);
    if (staging < 0 || fstat(staging, &status) < 0) return -1;
    if (status.st_uid == geteuid() && (status.st_mode & 077) == 0) return staging;
    close(staging);
    errno = EACCES;
    return -1;
}

static int restore(struct restore_job *job, char kept[NAME_MAX + 1]) {
    AUTO_CLOSE int staging = open_staging(job);
    if (staging < 0) return -1;
    job->copy.top = staging;
    if (copy_tree(&job->copy, job->source, job->name, "new") < 0) return -1;
    job->copy.told = 0;
    if (tell_progress(&job->copy) < 0) return -1;
    const char *old = swap_in(staging, "new", &job->place);
    if (!old) return -1;
    return *old && job->keep ? keep_beside(staging, old, &job->place, kept) : 0;
}

static void __attribute__((noreturn)) restore_and_answer(int socket, const struct request *request,
                                                         struct restore_job *job) {
    signal(SIGPIPE, SIG_IGN);
    struct {
        struct copy_progress done;
        char kept[NAME_MAX + 1];
    } reply = {0};
    int result = restore(job, reply.kept);
    int error = errno;
    if (job->staging[0]) remove_tree(job->place.directory, job->staging);
    reply.done = job->copy.done;
    if (result < 0) send_failure(socket, request->header.id, error, "restore the file");
    else send_reply(socket, request->header.id, REPLY_DONE, 0, &reply, sizeof reply.done + strlen(reply.kept), -1);
    _exit(0);
}

/// What can be known before anything is copied: 0, or -1.
static int check_job(const struct restore_job *job) {
    struct stat source, target;
    if (fstatat(job->source, job->name, &source, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    if (S_ISCHR(source.st_mode) || S_ISBLK(source.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    if (fstatat(job->place.directory, job->place.name, &target, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -1;
    if (job->keep && strlen(job->place.name) + KEPT_SUFFIX > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return assert_no_mounts(&job->place);
}

void file_restore(int socket, const struct request *request) {
    struct reader reader = read_body(request);
    bool keep = read_u32(&reader) != 0;
    const char *name = read_string(&reader), *path = read_string(&reader);
    if (!read_complete(&reader) || path[0] != '/' || request->descriptor_count != 2 || strchr(name, '/')) {
        errno = EBADMSG;
        return answer_failure(socket, request, "read the request");
    }
    struct restore_job job = {
        .source = request->descriptors[0],
        .name = name,
        .keep = keep,
        .copy = {.pipe = request->descriptors[1]},
    };
    if (open_place(path, false, &job.place) < 0) return answer_failure(socket, request, "find the target");
    AUTO_CLOSE int parent = job.place.directory;
    if (check_job(&job) < 0) return answer_failure(socket, request, "restore the file");
    pid_t child = fork();
    if (child == 0) restore_and_answer(socket, request, &job);
    if (child < 0) answer_failure(socket, request, "start a process");
}
