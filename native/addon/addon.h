// What all parts of the addon share: arguments in, values and errors out.
#pragma once

#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

/// Reads up to `count` arguments; absent ones become undefined. False with an exception pending when that fails.
bool get_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count);
/// These return false with a TypeError pending when the value has another type.
bool get_int(napi_env env, napi_value value, int *out);
bool get_int64(napi_env env, napi_value value, int64_t *out);
bool get_bool(napi_env env, napi_value value, bool *out);
/// Copies a string; refuses NUL inside. The caller frees it.
bool get_string(napi_env env, napi_value value, char **out);
/// True when the value is undefined or null.
bool is_absent(napi_env env, napi_value value);
/// Member of an object, undefined when it has none.
napi_value get_member(napi_env env, napi_value object, const char *name);

napi_value make_int(napi_env env, int value);
napi_value make_number(napi_env env, double value);
napi_value make_string(napi_env env, const char *text);
napi_value make_undefined(napi_env env);
void set_member(napi_env env, napi_value object, const char *name, napi_value value);
void set_number(napi_env env, napi_value object, const char *name, double value);
void set_string(napi_env env, napi_value object, const char *name, const char *text);
/// [first, second]
napi_value make_pair(napi_env env, int first, int second);

/// An Error with code, errno and syscall as Node's own have them.
napi_value make_error(napi_env env, int error, const char *call);
/// Throws it; returns NULL, so that `return throw_error(...)` ends a function.
napi_value throw_error(napi_env env, int error, const char *call);
/// Calls a listener from the event loop; what it throws becomes an uncaught exception.
void call_listener(napi_env env, napi_value listener, size_t count, const napi_value *arguments);

struct function {
    const char *name;
    napi_callback call;
};
#define FUNCTIONS_END {NULL, NULL}

extern const struct function process_functions[], pty_functions[], socket_functions[], file_functions[],
    mount_functions[], quota_functions[], shift_functions[], btrfs_functions[], btrfs_identity_functions[], netlink_state_functions[],
    netlink_change_functions[];
