// The addon's entry: each topic gives a table of functions.
#include "addon.h"
#include "loop.h"

static void add(napi_env env, napi_value exports, const struct function *functions) {
    for (; functions->name; functions++) {
        napi_value value;
        if (napi_create_function(env, functions->name, NAPI_AUTO_LENGTH, functions->call, NULL, &value) == napi_ok)
            set_member(env, exports, functions->name, value);
    }
}

NAPI_MODULE_INIT() {
    if (!set_up_loop(env)) return NULL;
    add(env, exports, process_functions);
    add(env, exports, pty_functions);
    add(env, exports, socket_functions);
    add(env, exports, file_functions);
    add(env, exports, mount_functions);
    add(env, exports, quota_functions);
    add(env, exports, shift_functions);
    add(env, exports, btrfs_functions);
    add(env, exports, btrfs_identity_functions);
    add(env, exports, netlink_state_functions);
    add(env, exports, netlink_change_functions);
    return exports;
}
