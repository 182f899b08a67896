#include <lxc/lxccontainer.h>
#include <stdio.h>

#include "verbs.h"

int start(const char *lxcpath, const char *name, const char *config) {
    struct lxc_container *container = lxc_container_new(name, lxcpath);
    if (!container) return fail("Failed allocating container \"%s\"", name);
    container->clear_config(container);
    if (!container->load_config(container, config)) return fail("Failed loading the configuration \"%s\"", config);
    container->want_daemonize(container, true);
    container->want_close_all_fds(container, true);
    if (!container->start(container, 0, NULL)) return fail("liblxc could not start the container");
    // start() succeeds as soon as init was executed, so it may be gone again.
    pid_t pid = container->init_pid(container);
    if (pid <= 0) return fail("The container's init ended at once");
    printf("{\"initPid\":%d}\n", (int)pid);
    return 0;
}
