#define _GNU_SOURCE
#include "proxy.h"

#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "pass-files.h"
#include "proxy-address.h"
#include "proxy-datagram.h"
#include "event-loop.h"
#include "proxy-stream.h"
#include "system.h"
#include "target.h"

enum { FIXED_ARGUMENTS = 10, MOST_RULES = 1024 };

struct rule {
    struct watcher listener;
    struct address listen, connect;
    bool paused;
};

static struct rule rules[MOST_RULES];
static unsigned rule_count;
static bool announces;

struct settings {
    struct target target;
    bool instance_listens;
    uid_t uid;
    gid_t gid;
    bool drops;
    struct socket_owner owner;
};

static void __attribute__((noreturn)) give_up(int ready, const char *what) {
    dprintf(ready, "%s: %s", what, strerror(errno));
    _exit(1);
}

static bool is_out_of_files(void) { return errno == EMFILE || errno == ENFILE || errno == ENOMEM; }

static void listener_ready(struct watcher *watcher, uint32_t events) {
    (void)events;
    struct rule *rule = (struct rule *)watcher;
    if (!is_stream(&rule->listen)) return take_datagrams(watcher->file, &rule->connect);
    int accepted = accept4(watcher->file, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) return begin_stream(accepted, &rule->connect, announces);
    if (!is_out_of_files()) return;
    unwatch(watcher); // until the next tick: it would be ready all the time
    rule->paused = true;
}

static void tick(void) {
    end_silent_sessions();
    for (unsigned i = 0; i < rule_count; i++)
        if (rules[i].paused && watch(&rules[i].listener, EPOLLIN) == 0) rules[i].paused = false;
}

static void container_ended(struct watcher *watcher, uint32_t events) {
    (void)watcher;
    (void)events;
    stop_loop();
}

static int open_listeners(const struct settings *settings, int files[]) {
    for (unsigned i = 0; i < rule_count; i++)
        if ((files[i] = listen_on(&rules[i].listen, &settings->owner)) < 0) return -1;
    return 0;
}

/// Joins the container's network, files and users.
static int enter(const struct settings *settings, int pidfd) {
    int wanted = target_namespaces(&settings->target, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS);
    if (setns(pidfd, wanted) < 0) return -1;
    return setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -1 : 0;
}

/// Opens the listeners in the container, by a child: who has joined its users cannot come back.
static int open_inside(const struct settings *settings, int pidfd, int files[]) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        bool opened = enter(settings, pidfd) == 0 && open_listeners(settings, files) == 0;
        int error = opened ? 0 : errno;
        _exit(pass_files(pair[1], error, files, opened ? rule_count : 0) < 0);
    }
    close(pair[1]);
    int error = child < 0 ? errno : take_files(pair[0], files, rule_count);
    close(pair[0]);
    if (child > 0) waitpid(child, NULL, 0);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int become(const struct settings *settings) {
    if (settings->drops && (setgroups(0, NULL) < 0 || setresgid(settings->gid, settings->gid, settings->gid) < 0 ||
                            setresuid(settings->uid, settings->uid, settings->uid) < 0))
        return -1;
    // Sockets that belong to others are all that root's rights are needed for.
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct kept[2] = {{0}};
    if (!settings->drops) kept[0].effective = kept[0].permitted = 1U << CAP_DAC_OVERRIDE;
    if (syscall(SYS_capset, &header, kept) < 0) return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int parse_rules(int count, char **arguments) {
    if (count % 2 != 0 || count / 2 > MOST_RULES) return -1;
    for (rule_count = 0; rule_count < (unsigned)count / 2; rule_count++) {
        struct rule *rule = &rules[rule_count];
        if (parse_address(arguments[2 * rule_count], &rule->listen) < 0) return -1;
        if (parse_address(arguments[2 * rule_count + 1], &rule->connect) < 0) return -1;
    }
    return 0;
}

static struct settings parse_settings(char **arguments) {
    bool drops = strcmp(arguments[4], "-") != 0 || strcmp(arguments[5], "-") != 0;
    announces = strcmp(arguments[6], "1") == 0;
    return (struct settings){
        .target = {.init = atoi(arguments[1]), .start_time = strtoull(arguments[2], NULL, 10)},
        .instance_listens = strcmp(arguments[3], "instance") == 0,
        .drops = drops,
        .uid = (uid_t)strtoul(arguments[4], NULL, 10),
        .gid = (gid_t)strtoul(arguments[5], NULL, 10),
        .owner = {.uid = (uid_t)strtoul(arguments[7], NULL, 10),
                  .gid = (gid_t)strtoul(arguments[8], NULL, 10),
                  .mode = (mode_t)strtoul(arguments[9], NULL, 8)},
    };
}

static void serve(int ready, struct watcher *init) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    bool watched = watch(init, EPOLLIN) == 0;
    for (unsigned i = 0; watched && i < rule_count; i++) watched = watch(&rules[i].listener, EPOLLIN) == 0;
    if (!watched) give_up(ready, "watch the sockets");
    dprintf(ready, "ok");
    close(ready);
    run_loop(tick);
}

int proxy(int count, char **arguments) {
    int ready = count > 0 ? atoi(arguments[0]) : -1;
    errno = EINVAL;
    if (count <= FIXED_ARGUMENTS || parse_rules(count - FIXED_ARGUMENTS, arguments + FIXED_ARGUMENTS) < 0)
        give_up(ready, "read the addresses");
    signal(SIGPIPE, SIG_IGN);
    struct settings settings = parse_settings(arguments);
    struct watcher init = {.file = open_target(&settings.target), .ready = container_ended};
    if (init.file < 0) give_up(ready, "find the container");
    static int files[MOST_RULES];
    int opened = settings.instance_listens ? open_inside(&settings, init.file, files) : open_listeners(&settings, files);
    if (opened < 0) give_up(ready, "listen");
    for (unsigned i = 0; i < rule_count; i++)
        rules[i].listener = (struct watcher){.file = files[i], .ready = listener_ready};
    if (!settings.instance_listens && enter(&settings, init.file) < 0) give_up(ready, "enter the container");
    if (become(&settings) < 0) give_up(ready, "give up rights");
    if (start_loop() < 0) give_up(ready, "wait for events");
    serve(ready, &init);
    return 0;
}
