// A system call of a guest that stands still until we have said what becomes of it (seccomp_unotify(2)).
#pragma once

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call_kind { CALL_OTHER, CALL_MKNOD, CALL_MKNODAT, CALL_SETXATTR, CALL_SCHED_SETSCHEDULER };

/// What becomes of a call: 0, the errno value that it fails with, or this, which has the kernel do it as if nobody had
/// looked: with the guest's rights and nothing more.
enum { VERDICT_CONTINUE = 255 };

struct call {
    struct seccomp_notif notice;
    /// folder of the calling thread in the host's /proc, its memory, and the listener that the call came from; 0 = none
    int process, memory, listener;
};

/// Which call it is in the numbering of its architecture.
enum call_kind kind_of_call(const struct call *call);

/// Receives a call from a listener. Returns 1, 0 when the caller is gone again, or -1 when the listener is of no use.
int receive_from_listener(int listener, struct call *call);
/// Lets a call that came from a listener go on. Whether the caller is still there does not matter.
void answer_listener(int listener, uint64_t id, int verdict);

/// Receives a call from liblxc's monitor, which passes on what its own listener gets. Returns 1, 0 when what came makes
/// no sense, or -1 when the monitor is gone. The descriptors are the receiver's.
int receive_from_monitor(int socket, struct call *call);
/// Returns -1 when the monitor is gone.
int answer_monitor(int socket, const struct call *call, int verdict);

void release_call(struct call *call);

/// True while the caller waits, so that what was read of it by its number was its own.
bool call_waits(const struct call *call);

/// Copies text out of the caller's memory, once: it may change there at any time. Returns 0, or the errno value that the
/// call would fail with (`too_long` when it does not fit).
int read_caller_text(const struct call *call, uint64_t address, char *text, size_t size, int too_long);
int read_caller_bytes(const struct call *call, uint64_t address, void *bytes, size_t size);
