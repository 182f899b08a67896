// Opens what a path inside the instance names.
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/// Remembers /proc/self/fd of the host; call before the root changes. Returns 0 or -1.
int remember_descriptors(void);

/// Opens a regular file whose O_PATH descriptor was checked already, so that nothing else is ever opened.
int reopen(int path_descriptor, int flags);

/// Path, from this process's root, of what a descriptor stands for. Returns 0 or -1.
int path_of(int descriptor, char *path, size_t size);
/// The mounts that this process sees, as proc_pid_mountinfo(5) has them, whatever the instance has at /proc; or NULL.
FILE *open_mounts(void);

/// Changes what an O_PATH descriptor names, which must be no link. Return 0 or -1.
int change_mode(int path_descriptor, mode_t mode);
int change_times(int path_descriptor, time_t accessed, time_t modified);

/// O_PATH descriptor of what `path` names and its status. The last link is followed only when asked.
int open_path(const char *path, bool follow, struct stat *status);

/// Directory and name that a path's last part stands for.
struct place {
    int directory;
    char name[256];
};

/// Resolves all but the last part; with `follow` also links in the last part, so that a dangling one says where to
/// create. EINVAL when the last part is no name (".", "..", "/").
int open_place(const char *path, bool follow, struct place *place);
