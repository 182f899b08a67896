// Links with addresses and counters, of this network namespace or another one (IFLA_TARGET_NETNSID)
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>

#include "addon.h"
#include "netlink.h"

struct gathering {
    napi_env env;
    napi_value links;
    uint32_t count;
    /// index → the `addresses` array of that link
    struct {
        int index;
        uint32_t at;
    } *known;
    uint32_t room;
};

static const char *operational_state(unsigned value) {
    static const char *const names[] = {"unknown",        "notpresent", "down", "lowerlayerdown",
                                        "testing", "dormant",    "up"};
    return value < sizeof names / sizeof *names ? names[value] : "unknown";
}

static void set_counters(napi_env env, napi_value link, const struct rtattr *attribute) {
    struct rtnl_link_stats64 stats = {0};
    if (attribute) {
        size_t length = RTA_PAYLOAD(attribute);
        memcpy(&stats, RTA_DATA(attribute), length < sizeof stats ? length : sizeof stats);
    }
    napi_value counters;
    napi_create_object(env, &counters);
    set_number(env, counters, "bytesReceived", (double)stats.rx_bytes);
    set_number(env, counters, "bytesSent", (double)stats.tx_bytes);
    set_number(env, counters, "packetsReceived", (double)stats.rx_packets);
    set_number(env, counters, "packetsSent", (double)stats.tx_packets);
    set_number(env, counters, "errorsReceived", (double)stats.rx_errors);
    set_number(env, counters, "errorsSent", (double)stats.tx_errors);
    set_number(env, counters, "packetsDroppedInbound", (double)stats.rx_dropped);
    set_number(env, counters, "packetsDroppedOutbound", (double)stats.tx_dropped);
    set_member(env, link, "counters", counters);
}

static void set_hardware_address(napi_env env, napi_value link, const struct rtattr *attribute) {
    char text[3 * 20 + 1] = "";
    size_t length = attribute ? RTA_PAYLOAD(attribute) : 0;
    const unsigned char *bytes = attribute ? RTA_DATA(attribute) : NULL;
    for (size_t i = 0; i < length && i < 20; i++) sprintf(text + 3 * i, "%02x:", bytes[i]);
    size_t end = strlen(text);
    if (end > 0) text[end - 1] = 0;
    set_string(env, link, "hardwareAddress", text);
}

static void parse(const struct rtattr **table, size_t size, const void *first, int left) {
    memset(table, 0, size * sizeof *table);
    for (const struct rtattr *attribute = first; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
        unsigned type = attribute->rta_type & NLA_TYPE_MASK;
        if (type < size) table[type] = attribute;
    }
}

static double number_of(const struct rtattr *attribute) {
    uint32_t value = 0;
    if (attribute && RTA_PAYLOAD(attribute) >= sizeof value) memcpy(&value, RTA_DATA(attribute), sizeof value);
    return value;
}

static const char *text_of(const struct rtattr *attribute) { return attribute ? RTA_DATA(attribute) : ""; }

static const char *kind_of(const struct rtattr *information) {
    const struct rtattr *table[IFLA_INFO_KIND + 1];
    if (!information) return "";
    parse(table, IFLA_INFO_KIND + 1, RTA_DATA(information), (int)RTA_PAYLOAD(information));
    return text_of(table[IFLA_INFO_KIND]);
}

static int remember(struct gathering *gathering, int index) {
    if (gathering->count == gathering->room) {
        uint32_t room = gathering->room ? gathering->room * 2 : 16;
        void *known = realloc(gathering->known, room * sizeof *gathering->known);
        if (!known) return ENOMEM;
        gathering->known = known;
        gathering->room = room;
    }
    gathering->known[gathering->count].index = index;
    gathering->known[gathering->count].at = 0;
    return 0;
}

static int take_link(const struct nlmsghdr *part, void *context) {
    struct gathering *gathering = context;
    napi_env env = gathering->env;
    const struct ifinfomsg *body = NLMSG_DATA(part);
    const struct rtattr *table[IFLA_MAX + 1];
    parse(table, IFLA_MAX + 1, IFLA_RTA(body), (int)IFLA_PAYLOAD(part));
    int error = remember(gathering, body->ifi_index);
    if (error) return error;
    napi_value link, addresses;
    napi_create_object(env, &link);
    napi_create_array(env, &addresses);
    set_number(env, link, "index", body->ifi_index);
    set_string(env, link, "name", text_of(table[IFLA_IFNAME]));
    set_number(env, link, "flags", body->ifi_flags);
    set_number(env, link, "mtu", number_of(table[IFLA_MTU]));
    set_hardware_address(env, link, table[IFLA_ADDRESS]);
    set_string(env, link, "kind", kind_of(table[IFLA_LINKINFO]));
    set_number(env, link, "peerIndex", number_of(table[IFLA_LINK]));
    set_number(env, link, "masterIndex", number_of(table[IFLA_MASTER]));
    const struct rtattr *state = table[IFLA_OPERSTATE];
    set_string(env, link, "operationalState", operational_state(state ? *(unsigned char *)RTA_DATA(state) : 0));
    set_counters(env, link, table[IFLA_STATS64]);
    set_member(env, link, "addresses", addresses);
    napi_set_element(env, gathering->links, gathering->count++, link);
    return 0;
}

static const char *scope_name(unsigned char scope) {
    return scope == RT_SCOPE_LINK ? "link" : scope == RT_SCOPE_HOST ? "local" : "global";
}

static int take_address(const struct nlmsghdr *part, void *context) {
    struct gathering *gathering = context;
    napi_env env = gathering->env;
    const struct ifaddrmsg *body = NLMSG_DATA(part);
    const struct rtattr *table[IFA_MAX + 1];
    parse(table, IFA_MAX + 1, IFA_RTA(body), (int)IFA_PAYLOAD(part));
    // IFA_ADDRESS is the other end of a point-to-point link.
    const struct rtattr *local = table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS];
    char text[INET6_ADDRSTRLEN];
    if (!local || (body->ifa_family != AF_INET && body->ifa_family != AF_INET6)) return 0;
    if (!inet_ntop(body->ifa_family, RTA_DATA(local), text, sizeof text)) return 0;
    for (uint32_t i = 0; i < gathering->count; i++) {
        if (gathering->known[i].index != (int)body->ifa_index) continue;
        napi_value link, addresses, address;
        napi_get_element(env, gathering->links, i, &link);
        addresses = get_member(env, link, "addresses");
        napi_create_object(env, &address);
        set_string(env, address, "family", body->ifa_family == AF_INET ? "inet" : "inet6");
        set_string(env, address, "address", text);
        set_number(env, address, "prefixLength", body->ifa_prefixlen);
        set_string(env, address, "scope", scope_name(body->ifa_scope));
        napi_set_element(env, addresses, gathering->known[i].at++, address);
    }
    return 0;
}

static int gather(struct gathering *gathering, bool elsewhere, int32_t namespace_id) {
    struct request request;
    begin_request(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    if (elsewhere) add_number(&request, IFLA_TARGET_NETNSID, (uint32_t)namespace_id);
    int error = dump(&request, take_link, gathering);
    if (error) return error;
    begin_request(&request, RTM_GETADDR, 0, sizeof(struct ifaddrmsg));
    if (elsewhere) add_number(&request, IFA_TARGET_NETNSID, (uint32_t)namespace_id);
    return dump(&request, take_address, gathering);
}

static napi_value links(napi_env env, napi_callback_info info) {
    napi_value argument;
    int pid = 0;
    int32_t namespace_id = -1;
    if (!get_arguments(env, info, &argument, 1)) return NULL;
    bool elsewhere = !is_absent(env, argument);
    if (elsewhere) {
        if (!get_int(env, argument, &pid)) return NULL;
        AUTO_CLOSE int place = open_network_namespace(pid);
        if (place < 0) return throw_error(env, errno, "open");
        int error = read_namespace_id(place, &namespace_id);
        if (error) return throw_error(env, error, "RTM_GETNSID");
    }
    struct gathering gathering = {.env = env};
    if (napi_create_array(env, &gathering.links) != napi_ok) return NULL;
    int error = gather(&gathering, elsewhere, namespace_id);
    free(gathering.known);
    return error ? throw_error(env, error, "RTM_GETLINK") : gathering.links;
}

const struct function netlink_state_functions[] = {{"links", links}, FUNCTIONS_END};
