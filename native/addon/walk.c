#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"

/// Deeper nesting is refused: each level holds a descriptor.
#define MAX_DEPTH 512

struct walk {
    visit_entry *visit;
    const void *context;
    dev_t device;
};

static int walk_entry(const struct walk *walk, int parent, const char *name, int depth);

static int walk_children(const struct walk *walk, int folder, int depth) {
    int readable = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0) return errno;
    DIR *entries = fdopendir(readable);
    if (!entries) {
        int saved = errno;
        close(readable);
        return saved;
    }
    int error = 0;
    for (struct dirent *entry; !error && (errno = 0, entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        error = walk_entry(walk, folder, entry->d_name, depth + 1);
    }
    if (!error && errno) error = errno;
    closedir(entries);
    return error;
}

static int walk_entry(const struct walk *walk, int parent, const char *name, int depth) {
    if (depth > MAX_DEPTH) return ELOOP;
    AUTO_CLOSE int file = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? 0 : errno;
    struct stat stat;
    if (fstat(file, &stat) < 0) return errno;
    if (stat.st_dev != walk->device) return 0;
    int error = walk->visit(walk->context, file, &stat);
    return error || !S_ISDIR(stat.st_mode) ? error : walk_children(walk, file, depth);
}

int walk_tree(int folder, visit_entry *visit, const void *context) {
    struct stat stat;
    if (fstat(folder, &stat) < 0) return errno;
    struct walk walk = {.visit = visit, .context = context, .device = stat.st_dev};
    return walk_entry(&walk, folder, ".", 0);
}
