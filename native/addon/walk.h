// Everything in a tree, links not followed.
#pragma once

#include <sys/stat.h>

/// Gets each entry as an O_PATH descriptor, a folder before what is in it; returns 0 or an errno.
typedef int visit_entry(const void *context, int file, const struct stat *stat);

/// Visits a folder and all that is in it on its file system: what is mounted in the tree or vanishes is left alone.
/// Returns 0 or an errno, ELOOP when folders are nested too deep.
int walk_tree(int folder, visit_entry *visit, const void *context);
