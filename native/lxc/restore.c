#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verbs.h"

static struct lxc_container *load(const char *lxcpath, const char *name, const char *config) {
    struct lxc_container *container = lxc_container_new(name, lxcpath);
    if (!container) return NULL;
    container->clear_config(container);
    if (!container->load_config(container, config)) return NULL;
    container->want_daemonize(container, true);
    return container;
}

/// Nobody waits for the output of the monitor, which liblxc forks without closing what its caller has open.
static int silence(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (dup2(null, descriptor) < 0) return -1;
    return 0;
}

int restore(const char *lxcpath, const char *name, const char *config, char *images, char *action) {
    struct lxc_container *container = load(lxcpath, name, config);
    if (!container) return fail("Failed loading the configuration \"%s\"", config);
    pid_t child = fork();
    if (child < 0) return fail("Failed forking");
    if (child == 0) {
        struct migrate_opts options = {.directory = images, .action_script = action, .stop = true};
        _exit(silence() < 0 || container->migrate(container, MIGRATE_RESTORE, &options, sizeof options) != 0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail("liblxc could not restore the container");
    pid_t pid = container->init_pid(container);
    if (pid <= 0) return fail("The container's init ended at once");
    printf("{\"initPid\":%d}\n", (int)pid);
    return 0;
}
