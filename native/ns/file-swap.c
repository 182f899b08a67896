#define _GNU_SOURCE
#include "file-swap.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "system.h"

enum { MOST_KEPT = 999 };

static int move_to_free(int from, const char *name, int to, const char *new_name) {
    if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0) return 0;
    struct stat status;
    // ZFS before 2.2 knows none of the flags.
    if (errno != EINVAL) return -1;
    if (fstatat(to, new_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? renameat(from, name, to, new_name) : -1;
    errno = EEXIST;
    return -1;
}

/// Where names cannot be exchanged, a file gets a second name before the new one takes its first. A folder is away for a
/// moment.
static const char *swap_without_exchange(int staging, const char *name, const struct place *place) {
    struct stat fresh, old;
    if (fstatat(staging, name, &fresh, AT_SYMLINK_NOFOLLOW) < 0) return NULL;
    if (fstatat(place->directory, place->name, &old, AT_SYMLINK_NOFOLLOW) < 0) return NULL;
    if (!S_ISDIR(fresh.st_mode) && !S_ISDIR(old.st_mode)) {
        if (linkat(place->directory, place->name, staging, "old", 0) < 0) return NULL;
        return renameat(staging, name, place->directory, place->name) < 0 ? NULL : "old";
    }
    if (renameat(place->directory, place->name, staging, "old") < 0) return NULL;
    if (renameat(staging, name, place->directory, place->name) == 0) return "old";
    int error = errno;
    renameat(staging, "old", place->directory, place->name);
    errno = error;
    return NULL;
}

const char *swap_in(int staging, const char *name, const struct place *place) {
    if (renameat2(staging, name, place->directory, place->name, RENAME_EXCHANGE) == 0) return name;
    if (errno == ENOENT) return move_to_free(staging, name, place->directory, place->name) < 0 ? NULL : "";
    if (errno != EINVAL) return NULL;
    const char *old = swap_without_exchange(staging, name, place);
    if (old || errno != ENOENT) return old;
    return move_to_free(staging, name, place->directory, place->name) < 0 ? NULL : "";
}

int keep_beside(int staging, const char *old, const struct place *place, char kept[NAME_MAX + 1]) {
    for (int number = 1; number <= MOST_KEPT; number++) {
        int length = snprintf(kept, NAME_MAX + 1, "%s.~%d~", place->name, number);
        if (length > NAME_MAX) errno = ENAMETOOLONG;
        else if (move_to_free(staging, old, place->directory, kept) == 0) return 0;
        else if (errno == EEXIST) continue;
        break;
    }
    int error = errno;
    swap_in(staging, old, place);
    errno = error;
    return -1;
}

/// Turns what mountinfo writes as "\040" back into its byte.
static void unescape(char *text) {
    char *to = text;
    for (unsigned byte; *text; to++) {
        if (sscanf(text, "\\%3o", &byte) == 1) {
            *to = (char)byte;
            text += 4;
        } else *to = *text++;
    }
    *to = 0;
}

/// 0 when the line of mountinfo is about a mount elsewhere, else the errno that fits.
static int mount_error(const char *line, const char *path) {
    char point[PATH_MAX];
    if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1) return 0;
    unescape(point);
    size_t length = strlen(path);
    if (strncmp(point, path, length) != 0) return 0;
    return point[length] == 0 ? EBUSY : point[length] == '/' ? EXDEV : 0;
}

int assert_no_mounts(const struct place *place) {
    char path[PATH_MAX];
    AUTO_CLOSE int target = openat(place->directory, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0 || path_of(target, path, sizeof path) < 0) return -1;
    FILE *mounts = open_mounts();
    if (!mounts) return -1;
    char *line = NULL;
    size_t size = 0;
    int error = 0;
    while (!error && getline(&line, &size, mounts) > 0) error = mount_error(line, path);
    free(line);
    fclose(mounts);
    errno = error;
    return error ? -1 : 0;
}
