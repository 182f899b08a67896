// Copies a file or a tree with owners, modes, times, extended attributes and hard links.
#pragma once

#include <stdint.h>

/// What was copied so far. Left out are devices, which need rights over the host, and attributes that cannot be kept.
struct copy_progress {
    uint64_t files, bytes, left_out;
};

struct tree_copy {
    /// pipe that takes a copy_progress now and then: when nobody reads it any more, the copy ends with ECANCELED
    int pipe;
    /// directory that the copy is made in, and the path below it of what is being copied
    int top;
    char path[4096];
    struct copy_progress done;
    int64_t told;
    /// files with several names: a tree of tsearch(3)
    void *linked;
};

/// Copies what `name` is in the directory `from` to `copy->top` as `new_name`, which must not exist. Links are copied, not
/// followed, and nothing outside of `from` is reached. Returns 0, or -1 with a part of the copy made.
int copy_tree(struct tree_copy *copy, int from, const char *name, const char *new_name);

/// Copies a regular file's content, by reference or without its holes where the file systems can.
int copy_content(struct tree_copy *copy, int from, int to, int64_t size);
/// Copies extended attributes and removes access lists that `to` inherited.
int copy_attributes(struct tree_copy *copy, int from, int to);
/// Writes to the pipe, at most some times a second.
int tell_progress(struct tree_copy *copy);
