// Makes system calls as nobody should, inside a container, for the tests of what the host does for it. Prints 0 or the
// errno value of each.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char opaque[] = "trusted.overlay.opaque";

static void tell(const char *what, long result) { printf("%s %d\n", what, result < 0 ? errno : 0); }

static long node(int folder, const void *path) {
    return syscall(SYS_mknodat, folder, path, S_IFCHR | 0666, makedev(1, 3));
}

/// A text that ends right before memory that is not there.
static char *at_the_edge(const char *text) {
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    return strcpy(pages + 4096 - strlen(text) - 1, text);
}

static void bad_paths(void) {
    static char path[5000];
    memset(path, 'x', sizeof path - 1);
    tell("null", node(AT_FDCWD, NULL));
    tell("wild", node(AT_FDCWD, (void *)0xdead0000beefULL));
    tell("negative", node(AT_FDCWD, (void *)UINT64_MAX));
    tell("long", node(AT_FDCWD, path));
    path[4000] = 0;
    tell("long-name", node(AT_FDCWD, path));
    tell("empty", node(AT_FDCWD, ""));
    tell("root", node(AT_FDCWD, "/"));
    tell("dot", node(AT_FDCWD, "/tmp/."));
    tell("slash", node(AT_FDCWD, "/tmp/new/"));
    tell("no-folder", node(1000, "new"));
    tell("any-folder", node(1000, "/tmp/absolute"));
    tell("edge", node(AT_FDCWD, at_the_edge("/tmp/edge")));
    char *unended = at_the_edge("/tmp/unended");
    unended[strlen(unended)] = 'x';
    tell("unended", node(AT_FDCWD, unended));
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    tell("folder", node(folder, "in-folder"));
}

static void links(void) {
    tell("link", symlink("/proc/1/root/tmp", "/tmp/magic"));
    tell("link", symlink("/tmp", "/tmp/to-tmp"));
    tell("link", symlink("/tmp/dangling-target", "/tmp/dangling"));
    tell("magic", node(AT_FDCWD, "/tmp/magic/x"));
    tell("through", node(AT_FDCWD, "/tmp/to-tmp/through"));
    tell("dangling", node(AT_FDCWD, "/tmp/dangling"));
}

static char raced[64];
static volatile int racing = 1;

static void *change_path(void *other) {
    while (racing) {
        memcpy(raced, "/tmp/race/x", 12);
        memcpy(raced, other, strlen(other) + 1);
    }
    return NULL;
}

/// One thread asks, the other one changes what is asked for.
static void race(char *other) {
    pthread_t thread;
    mkdir("/tmp/race", 0755);
    pthread_create(&thread, NULL, change_path, other);
    for (int i = 0; i < 300; i++) {
        node(AT_FDCWD, raced);
        syscall(SYS_setxattr, raced, opaque, "y", 1, 0);
        unlink("/tmp/race/x");
    }
    racing = 0;
    pthread_join(thread, NULL);
    tell("raced", 0);
}

/// Callers that die while they wait.
static void die(void) {
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) {
                node(AT_FDCWD, "/tmp/dying");
                unlink("/tmp/dying");
            }
        usleep(2000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    unlink("/tmp/dying");
    tell("alive", node(AT_FDCWD, "/tmp/survivor"));
}

/// A file system of the guest's that never answers.
static void hang(void) {
    int device = open("/dev/fuse-for-all", O_RDWR);
    char options[80];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    mkdir("/tmp/silent", 0755);
    tell("mount", mount("silent", "/tmp/silent", "fuse", 0, options));
    tell("hang", node(AT_FDCWD, "/tmp/silent/folder/x"));
    umount2("/tmp/silent", MNT_DETACH);
}

static void priority(void) {
    struct sched_param param = {.sched_priority = 7};
    tell("fifo", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
    printf("policy %ld\n", syscall(SYS_sched_getscheduler, 0));
    pid_t child = fork();
    if (child == 0) pause();
    tell("child", syscall(SYS_sched_setscheduler, child, SCHED_RR, &param));
    printf("child-policy %ld\n", syscall(SYS_sched_getscheduler, child));
    kill(child, SIGKILL);
    tell("nobody", syscall(SYS_sched_setscheduler, 999999, SCHED_RR, &param));
    tell("bad", syscall(SYS_sched_setscheduler, 0, SCHED_RR, (void *)8));
    param.sched_priority = 1000;
    tell("range", syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param));
    param.sched_priority = 0;
    tell("other", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param));
}

int main(int count, char **arguments) {
    const char *verb = count > 1 ? arguments[1] : "";
    const char *path = count > 2 ? arguments[2] : "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(verb, "bad-paths") == 0) bad_paths();
    if (strcmp(verb, "links") == 0) links();
    if (strcmp(verb, "race") == 0) race(arguments[2]);
    if (strcmp(verb, "die") == 0) die();
    if (strcmp(verb, "hang") == 0) hang();
    if (strcmp(verb, "priority") == 0) priority();
    if (strcmp(verb, "node") == 0) tell("node", node(AT_FDCWD, path));
    if (strcmp(verb, "opaque") == 0) tell("opaque", syscall(SYS_setxattr, path, opaque, "y", 1, 0));
    if (strcmp(verb, "user-attribute") == 0) tell("user", syscall(SYS_setxattr, path, "user.a", "y", 1, 0));
    if (strcmp(verb, "other-value") == 0) tell("other", syscall(SYS_setxattr, path, opaque, "n", 1, 0));
    if (strcmp(verb, "read-opaque") == 0) {
        char value[8] = "";
        tell(getxattr(path, opaque, value, sizeof value - 1) < 0 ? "none" : value, 0);
    }
    return 0;
}
