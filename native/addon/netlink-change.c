// Links and addresses made, changed and removed
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>

#include "addon.h"
#include "netlink.h"

#define HARDWARE_BYTES 6

/// LinkSettings; a negative number or NULL means that it stays.
struct settings {
    int up, mtu;
    bool has_hardware_address, has_master;
    unsigned char hardware_address[HARDWARE_BYTES];
    /// 0 leaves the bridge
    unsigned master_index;
    char *new_name;
};

static void free_settings(struct settings *settings) { free(settings->new_name); }
#define AUTO_SETTINGS __attribute__((cleanup(free_settings)))

static bool get_link_name(napi_env env, napi_value value, char **out) {
    if (!get_string(env, value, out)) return false;
    size_t length = strlen(*out);
    if (length > 0 && length < IFNAMSIZ) return true;
    throw_error(env, EINVAL, "rtnetlink");
    return false;
}

static bool get_hardware_address(napi_env env, napi_value value, unsigned char *out) {
    AUTO_FREE char *text = NULL;
    if (!get_string(env, value, &text)) return false;
    int end = 0;
    int count = sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &out[0], &out[1], &out[2], &out[3], &out[4],
                       &out[5], &end);
    if (count == HARDWARE_BYTES && text[end] == 0) return true;
    napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", "Expected a hardware address");
    return false;
}

static bool get_master(napi_env env, napi_value value, struct settings *settings) {
    napi_valuetype type;
    AUTO_FREE char *name = NULL;
    settings->has_master = true;
    if (napi_typeof(env, value, &type) == napi_ok && type == napi_null) return true;
    if (!get_string(env, value, &name)) return false;
    settings->master_index = if_nametoindex(name);
    if (settings->master_index == 0) throw_error(env, errno, "if_nametoindex");
    return settings->master_index != 0;
}

static bool is_given(napi_env env, napi_value value) {
    napi_valuetype type;
    return napi_typeof(env, value, &type) == napi_ok && type != napi_undefined;
}

static bool get_settings(napi_env env, napi_value object, struct settings *settings) {
    *settings = (struct settings){.up = -1, .mtu = -1};
    napi_value up = get_member(env, object, "up"), mtu = get_member(env, object, "mtu");
    napi_value address = get_member(env, object, "hardwareAddress"), master = get_member(env, object, "master");
    napi_value new_name = get_member(env, object, "newName");
    if (is_given(env, up)) {
        bool value;
        if (!get_bool(env, up, &value)) return false;
        settings->up = value;
    }
    if (is_given(env, mtu) && !get_int(env, mtu, &settings->mtu)) return false;
    if (is_given(env, address)) {
        settings->has_hardware_address = true;
        if (!get_hardware_address(env, address, settings->hardware_address)) return false;
    }
    if (is_given(env, master) && !get_master(env, master, settings)) return false;
    return !is_given(env, new_name) || get_link_name(env, new_name, &settings->new_name);
}

static void set_flags(struct ifinfomsg *body, const struct settings *settings) {
    if (settings->up < 0) return;
    body->ifi_change = IFF_UP;
    body->ifi_flags = settings->up ? IFF_UP : 0;
}

static void add_settings(struct request *request, const struct settings *settings) {
    if (settings->mtu >= 0) add_number(request, IFLA_MTU, (uint32_t)settings->mtu);
    if (settings->has_hardware_address)
        add_attribute(request, IFLA_ADDRESS, settings->hardware_address, HARDWARE_BYTES);
    if (settings->has_master) add_number(request, IFLA_MASTER, settings->master_index);
}

static struct ifinfomsg *begin_new_link(struct request *request, const char *name, const struct settings *settings) {
    struct ifinfomsg *body =
        begin_request(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    set_flags(body, settings);
    add_text(request, IFLA_IFNAME, name);
    add_settings(request, settings);
    return body;
}

static napi_value create_bridge(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    AUTO_FREE char *name = NULL;
    AUTO_SETTINGS struct settings settings = {0};
    if (!get_arguments(env, info, arguments, 2) || !get_link_name(env, arguments[0], &name) ||
        !get_settings(env, arguments[1], &settings))
        return NULL;
    struct request request;
    begin_new_link(&request, name, &settings);
    struct rtattr *information = begin_nested(&request, IFLA_LINKINFO);
    add_text(&request, IFLA_INFO_KIND, "bridge");
    end_nested(&request, information);
    int error = send_request(&request);
    return error ? throw_error(env, error, "RTM_NEWLINK") : NULL;
}

struct veth {
    const char *name, *peer_name;
    struct settings host, peer;
    /// network namespace of the peer, -1 for this one
    int place;
};

/// Makes the pair with the host's end as its "peer": only the main end may go up at once (veth_open() wants both), and
/// no later request could do that in another network namespace.
static int send_veth(const struct veth *veth) {
    struct request request;
    begin_new_link(&request, veth->peer_name, &veth->peer);
    if (veth->place >= 0) add_number(&request, IFLA_NET_NS_FD, (uint32_t)veth->place);
    struct rtattr *information = begin_nested(&request, IFLA_LINKINFO);
    add_text(&request, IFLA_INFO_KIND, "veth");
    struct rtattr *pair = begin_nested(&request, IFLA_INFO_DATA);
    struct rtattr *host = begin_nested(&request, VETH_INFO_PEER);
    // Its attributes follow a bare ifinfomsg.
    memset(request.bytes + request.header.nlmsg_len, 0, sizeof(struct ifinfomsg));
    request.header.nlmsg_len += sizeof(struct ifinfomsg);
    add_text(&request, IFLA_IFNAME, veth->name);
    add_settings(&request, &veth->host);
    end_nested(&request, host);
    end_nested(&request, pair);
    end_nested(&request, information);
    return send_request(&request);
}

static int send_change(const char *name, const struct settings *settings) {
    struct request request;
    struct ifinfomsg *body = begin_request(&request, RTM_NEWLINK, 0, sizeof *body);
    body->ifi_index = (int)if_nametoindex(name);
    if (body->ifi_index == 0) return errno;
    set_flags(body, settings);
    add_settings(&request, settings);
    if (settings->new_name) add_text(&request, IFLA_IFNAME, settings->new_name);
    return send_request(&request);
}

static int send_delete(const char *name) {
    struct request request;
    struct ifinfomsg *body = begin_request(&request, RTM_DELLINK, 0, sizeof *body);
    body->ifi_index = (int)if_nametoindex(name);
    if (body->ifi_index == 0) return errno == ENODEV ? 0 : errno;
    int error = send_request(&request);
    return error == ENODEV ? 0 : error;
}

/// Joins the bridge, which veth_newlink() ignores, and goes up. Returns 0 or an errno.
static int finish_host_end(const struct veth *veth) {
    if (!veth->host.has_master && veth->host.up != 1) return 0;
    int error = send_change(veth->name, &veth->host);
    if (error) send_delete(veth->name);
    return error;
}

static napi_value create_veth(napi_env env, napi_callback_info info) {
    napi_value arguments[3];
    AUTO_FREE char *name = NULL;
    AUTO_FREE char *peer_name = NULL;
    AUTO_SETTINGS struct settings host = {0};
    AUTO_SETTINGS struct settings peer = {0};
    if (!get_arguments(env, info, arguments, 3) || !get_link_name(env, arguments[0], &name) ||
        !get_settings(env, arguments[1], &host) ||
        !get_link_name(env, get_member(env, arguments[2], "name"), &peer_name) ||
        !get_settings(env, get_member(env, arguments[2], "settings"), &peer))
        return NULL;
    napi_value pid_value = get_member(env, arguments[2], "pid");
    int pid = 0;
    AUTO_CLOSE int place = -1;
    if (!is_absent(env, pid_value)) {
        if (!get_int(env, pid_value, &pid)) return NULL;
        place = open_network_namespace(pid);
        if (place < 0) return throw_error(env, errno, "open");
        // A bridge of ours has no meaning in another namespace.
        if (peer.has_master) return throw_error(env, EINVAL, "RTM_NEWLINK");
    }
    const struct veth veth = {name, peer_name, host, peer, place};
    int error = send_veth(&veth);
    if (!error) error = finish_host_end(&veth);
    return error ? throw_error(env, error, "RTM_NEWLINK") : NULL;
}

static napi_value change_link(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    AUTO_FREE char *name = NULL;
    AUTO_SETTINGS struct settings settings = {0};
    if (!get_arguments(env, info, arguments, 2) || !get_link_name(env, arguments[0], &name) ||
        !get_settings(env, arguments[1], &settings))
        return NULL;
    int error = send_change(name, &settings);
    return error ? throw_error(env, error, "RTM_NEWLINK") : NULL;
}

static napi_value delete_link(napi_env env, napi_callback_info info) {
    napi_value argument;
    AUTO_FREE char *name = NULL;
    if (!get_arguments(env, info, &argument, 1) || !get_link_name(env, argument, &name)) return NULL;
    int error = send_delete(name);
    return error ? throw_error(env, error, "RTM_DELLINK") : NULL;
}

struct address {
    int family, prefix;
    unsigned char bytes[16];
};

/// Parses "ADDRESS/PREFIX"; returns 0 or an errno.
static int parse_address(char *text, struct address *address) {
    char *slash = strchr(text, '/'), *end;
    if (!slash) return EINVAL;
    *slash = 0;
    address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    address->prefix = (int)strtol(slash + 1, &end, 10);
    if (end == slash + 1 || *end || address->prefix < 0) return EINVAL;
    if (address->prefix > (address->family == AF_INET ? 32 : 128)) return EINVAL;
    return inet_pton(address->family, text, address->bytes) == 1 ? 0 : EINVAL;
}

static void add_broadcast(struct request *request, const struct address *address) {
    if (address->family != AF_INET || address->prefix > 30) return;
    uint32_t value;
    memcpy(&value, address->bytes, sizeof value);
    add_number(request, IFA_BROADCAST, value | htonl(UINT32_MAX >> address->prefix));
}

static int send_address(uint16_t type, uint16_t flags, unsigned index, const struct address *address) {
    struct request request;
    struct ifaddrmsg *body = begin_request(&request, type, flags, sizeof *body);
    size_t length = address->family == AF_INET ? 4 : 16;
    body->ifa_family = (unsigned char)address->family;
    body->ifa_prefixlen = (unsigned char)address->prefix;
    body->ifa_index = index;
    // An address of ours is usable at once: no other host may claim it, and a bridge without ports never ends the check.
    if (type == RTM_NEWADDR && address->family == AF_INET6) body->ifa_flags = IFA_F_NODAD;
    add_attribute(&request, IFA_LOCAL, address->bytes, length);
    add_attribute(&request, IFA_ADDRESS, address->bytes, length);
    if (type == RTM_NEWADDR) add_broadcast(&request, address);
    return send_request(&request);
}

static napi_value change_address(napi_env env, napi_callback_info info, bool adds) {
    napi_value arguments[2];
    AUTO_FREE char *name = NULL;
    AUTO_FREE char *text = NULL;
    struct address address;
    const char *call = adds ? "RTM_NEWADDR" : "RTM_DELADDR";
    if (!get_arguments(env, info, arguments, 2) || !get_link_name(env, arguments[0], &name) ||
        !get_string(env, arguments[1], &text))
        return NULL;
    int error = parse_address(text, &address);
    if (error) return throw_error(env, error, call);
    unsigned index = if_nametoindex(name);
    if (index == 0) return adds ? throw_error(env, errno, call) : NULL;
    error = adds ? send_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, &address)
                 : send_address(RTM_DELADDR, 0, index, &address);
    if (error == (adds ? EEXIST : EADDRNOTAVAIL)) return NULL;
    return error ? throw_error(env, error, call) : NULL;
}

static napi_value add_address(napi_env env, napi_callback_info info) { return change_address(env, info, true); }
static napi_value remove_address(napi_env env, napi_callback_info info) { return change_address(env, info, false); }

const struct function netlink_change_functions[] = {
    {"createBridge", create_bridge}, {"createVeth", create_veth}, {"changeLink", change_link},
    {"deleteLink", delete_link},     {"addAddress", add_address}, {"removeAddress", remove_address},
    FUNCTIONS_END,
};
