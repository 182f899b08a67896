// What ctr-lxc can do. Each verb returns the exit status; a result is one JSON object on standard output, the reason of a
// failure one line on standard error.
#pragma once

#include <sys/types.h>

/// Prints why a verb failed, for people; returns 1.
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Starts a container in the background: {"initPid": N}. A process forked from this one supervises it (the monitor).
int start(const char *lxcpath, const char *name, const char *config);
/// Starts a container from the state that CRIU has written into a folder: {"initPid": N}. `action` is the program that
/// CRIU runs at each step.
int restore(const char *lxcpath, const char *name, const char *config, char *images, char *action);
/// Takes the console and sends [lock, terminal] over a SEQPACKET socket; who holds the lock has the console.
int console(const char *lxcpath, const char *name, int socket);
/// Writes the filter that liblxc makes of a seccomp policy as an array of struct sock_filter.
int export_seccomp(const char *policy, const char *output);
/// Writes the filter that a container's init runs under, in the same form; init stands still meanwhile.
int read_filter(pid_t pid, const char *output);
/// Which liblxc this is and which of its API extensions it has: {"version": "5.0.2", "features": {"cgroup2": true}}. The
/// names are the caller's own, without quotes.
int library(int count, char **names);
