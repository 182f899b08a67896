// What is done for a guest whose call was intercepted. Each runs in a process of its own, reads the caller's memory once,
// and returns a verdict; whatever it is not sure about goes on as if nobody had looked (VERDICT_CONTINUE).
#pragma once

#include "intercepted-call.h"

/// Makes device nodes that are harmless wherever they are.
int act_mknod(const struct call *call);
/// Marks folders as opaque for overlayfs.
int act_setxattr(const struct call *call);
/// Gives a process of the container a real-time priority.
int act_sched_setscheduler(const struct call *call);
