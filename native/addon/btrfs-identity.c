// What tells a subvolume from others across file systems (linux/btrfs.h)
#include <linux/btrfs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "addon.h"

enum { uuid_text = 2 * BTRFS_UUID_SIZE + 1 };

/// Lower-case hexadecimal; empty for a UUID that is not set.
static void print_uuid(const uint8_t *uuid, char *text) {
    bool set = false;
    for (int i = 0; i < BTRFS_UUID_SIZE; i++) {
        snprintf(text + 2 * i, 3, "%02x", uuid[i]);
        set = set || uuid[i];
    }
    if (!set) *text = 0;
}

static napi_value identity(napi_env env, napi_callback_info info) {
    napi_value argument, result;
    int descriptor;
    if (!get_arguments(env, info, &argument, 1) || !get_int(env, argument, &descriptor)) return NULL;
    struct btrfs_ioctl_get_subvol_info_args facts = {0};
    if (ioctl(descriptor, BTRFS_IOC_GET_SUBVOL_INFO, &facts) < 0)
        return throw_error(env, errno, "BTRFS_IOC_GET_SUBVOL_INFO");
    if (napi_create_object(env, &result) != napi_ok) return NULL;
    char text[uuid_text];
    print_uuid(facts.uuid, text);
    set_string(env, result, "uuid", text);
    print_uuid(facts.received_uuid, text);
    set_string(env, result, "receivedUuid", text);
    return result;
}

const struct function btrfs_identity_functions[] = {
    {"btrfsIdentity", identity},
    FUNCTIONS_END,
};
