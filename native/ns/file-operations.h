// What the file server does; each function answers its request. Paths are absolute inside the instance.
#pragma once

#include <sys/stat.h>

#include "message.h"

enum file_operation {
    FILE_STAT = 1,
    FILE_READ = 2,
    FILE_READ_LINK = 3,
    FILE_LIST = 4,
    FILE_WRITE = 5,
    FILE_MAKE_DIRECTORY = 6,
    FILE_MAKE_LINK = 7,
    FILE_REMOVE = 8,
    FILE_OPEN = 9,
    FILE_SET_ATTRIBUTES = 10,
    FILE_RENAME = 11,
    FILE_LIST_ENTRIES = 12,
    FILE_OPEN_PARENT = 13,
    FILE_RESTORE = 14,
};

/// Stands for "leave as it is" in owner fields.
static const uint32_t KEEP = UINT32_MAX;

struct owner {
    uint32_t uid, gid, mode;
};

/// Reply to FILE_STAT, and before the content of FILE_READ. Times are seconds with nanoseconds.
struct file_entry {
    uint32_t mode, uid, gid;
    /// of a device node: major << 20 | minor
    uint32_t device;
    int64_t size, modified, changed;
    uint64_t inode;
    uint32_t modified_ns, changed_ns;
};

/// Fields: u32 follow, string path. Replies with a file_entry.
void file_stat(int socket, const struct request *request);
/// Fields: string path. Replies with a file_entry and a descriptor: the file, or a pipe that its content comes through
/// where the file system could hang its reader. May fork.
void file_read(int socket, const struct request *request);
/// Fields: string path. Replies with the target.
void file_read_link(int socket, const struct request *request);
/// Fields: string path. Replies with NUL-separated names, in several parts when there are many.
void file_list(int socket, const struct request *request);
/// Fields: string path. Replies with what is in the directory, each as file_entry, name and target of a link ("" for all
/// else), in several parts when there are many.
void file_list_entries(int socket, const struct request *request);
/// Fields: u32 append, owner, string path; descriptors: the content's pipe, and a pipe that gives one byte when the
/// content is complete (it ends without when the writer gave up, and then nothing is changed).
void file_write(int socket, const struct request *request);
/// Fields: owner, string path. Succeeds when the directory is there.
void file_make_directory(int socket, const struct request *request);
/// Fields: string path, string target.
void file_make_link(int socket, const struct request *request);
/// Fields: u32 recursive, string path.
void file_remove(int socket, const struct request *request);

enum open_flag {
    OPEN_READ = 1,
    OPEN_WRITE = 2,
    OPEN_APPEND = 4,
    OPEN_CREATE = 8,
    OPEN_TRUNCATE = 16,
    OPEN_EXCLUSIVE = 32,
};

/// What FILE_SET_ATTRIBUTES changes; seconds since the epoch.
struct file_change {
    struct owner owner;
    bool size_given, times_given;
    uint64_t size, accessed, modified;
};

/// Fields: u32 open flags, owner of a file that is made, string path. Replies with a descriptor of a regular file;
/// EOPNOTSUPP on file systems that could hang its reader.
void file_open(int socket, const struct request *request);
/// Fields: owner, u32 follow, u32 size given, u32 times given, u64 size, u64 accessed, u64 modified, string path.
void file_set_attributes(int socket, const struct request *request);
/// Fields: u32 replace, string from, string to.
void file_rename(int socket, const struct request *request);

/// Fields: string path. Replies with the last name in it and the directory that this is in.
void file_open_parent(int socket, const struct request *request);
/// Fields: u32 keep, string name, string path; descriptors: the directory with what is to be copied to the path (from
/// FILE_OPEN_PARENT of a server of the same ids), and a pipe for progress. Replies with a copy_progress and the name that
/// what was there is kept by, "" when there was nothing or it is not to be kept. Takes its time in a process of its own.
void file_restore(int socket, const struct request *request);

/// Removes a file, or a directory with all that is in it; succeeds when it is gone. Returns 0 or -1.
int remove_tree(int parent, const char *name);
/// Replies with a payload and a descriptor, or -1.
void answer(int socket, const struct request *request, const void *payload, size_t length, int descriptor);
struct file_entry describe(const struct stat *status);
/// False, after an answer, unless all fields were there and the path is absolute.
bool understood(int socket, const struct request *request, const struct reader *reader, const char *path);
/// True for file systems that no process of the guest serves: reading them cannot hang the daemon's threads.
bool served_by_kernel(int file);
/// Reads uid, gid and mode.
struct owner read_owner(struct reader *reader);
/// Gives `file` the members that are not KEEP. Returns 0 or -1.
int set_owner(int file, const struct owner *owner);
/// Sends what errno says.
void answer_failure(int socket, const struct request *request, const char *stage);
