// Makes an instance's root file system this process's own root, with no more rights than its root user has.
#pragma once

#include <stdbool.h>

#include "target.h"

/// How a stopped container's root file system is entered.
struct root_view {
    /// where its ids lie on the host, in lines of user_namespaces(7); empty: it has no user namespace
    const char *users, *groups;
    /// the files have the host's ids: they are not mounted shifted
    bool host_ids;
    bool read_only;
};

/// Both return 0, or -1 with errno and `*stage` saying what was tried.
int enter_running(const struct target *target, const char **stage);
int enter_stopped(const char *rootfs, const struct root_view *view, const char **stage);

/// A user namespace with these lines as its maps (user_namespaces(7)): its descriptor, or -1.
int create_user_namespace(const char *users, const char *groups);
