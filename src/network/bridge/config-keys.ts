import { defineKeys, type KeyRule } from '#base/config-schema.ts';
import * as check from '../checks.ts';

const addressWords = ['none', 'auto'];
const aclAction = { type: 'enum', values: ['allow', 'drop', 'reject'], default: 'reject' } as const;
const noFan = 'is for the mode "fan", which needs a kernel with Ubuntu\'s own patches';
const noOvn = 'is for OVN networks, which this server does not have';
const noBgp = 'has no effect in this release: this server does not speak BGP';

/** A key of LXD's that this server can do nothing with: it is known, and refused with the reason. */
function refused(summary: string, reason: string): KeyRule {
  return { type: 'string', summary, check: () => reason };
}

function only(value: string, reason: string): (value: string) => string | undefined {
  return given => (given === value ? undefined : reason);
}

const tunnelKeys = defineKeys({
  'tunnel.*.group': { type: 'string', summary: 'Multicast group of a VXLAN without peers', check: check.anyAddress },
  'tunnel.*.id': { type: 'integer', min: 0, max: 16_777_215, summary: 'Id of a VXLAN' },
  'tunnel.*.interface': { type: 'string', summary: 'Host interface of a VXLAN', check: check.interfaceName },
  'tunnel.*.local': { type: 'string', summary: 'Address of this end', check: check.anyAddress },
  'tunnel.*.port': { type: 'integer', min: 1, max: 65_535, summary: 'UDP port of a VXLAN' },
  'tunnel.*.protocol': { type: 'enum', values: ['gre', 'vxlan'], summary: 'Kind of the tunnel' },
  'tunnel.*.remote': { type: 'string', summary: 'Address of the other end', check: check.anyAddress },
  'tunnel.*.ttl': { type: 'integer', min: 0, max: 255, summary: 'Hops that multicast of a VXLAN may take' },
});

/** Config of networks of type "bridge", named and meant as LXD 5.0 does. */
export const bridgeKeys = defineKeys({
  'bgp.ipv4.nexthop': refused('Next hop of announced IPv4 subnets', noBgp),
  'bgp.ipv6.nexthop': refused('Next hop of announced IPv6 subnets', noBgp),
  'bgp.peers.*.address': refused('Address of a BGP peer', noBgp),
  'bgp.peers.*.asn': refused('AS number of a BGP peer', noBgp),
  'bgp.peers.*.password': refused('Session password of a BGP peer', noBgp),
  'bridge.driver': {
    type: 'enum',
    values: ['native', 'openvswitch'],
    summary: 'Bridge implementation',
    default: 'native',
    check: only('native', 'can only be "native": this server does not use Open vSwitch'),
  },
  'bridge.mode': {
    type: 'enum',
    values: ['standard', 'fan'],
    summary: 'Bridge operation mode',
    default: 'standard',
    check: only('standard', 'can only be "standard": the mode "fan" needs a kernel with Ubuntu\'s own patches'),
  },
  'bridge.external_interfaces': {
    type: 'string',
    summary: 'Unconfigured host interfaces to add to the bridge, separated by commas',
    check: check.each(check.interfaceName),
  },
  'bridge.hwaddr': { type: 'string', summary: 'MAC address of the bridge', check: check.hardwareAddress },
  'bridge.mtu': { type: 'integer', min: 1280, max: 16_384, summary: 'Bridge MTU; 1500 unless there are tunnels' },
  'dns.domain': {
    type: 'string',
    summary: 'Domain of DHCP clients and DNS names',
    default: 'lxd',
    check: check.domain,
  },
  'dns.mode': {
    type: 'enum',
    values: ['none', 'managed', 'dynamic'],
    default: 'managed',
    summary: 'Who names hosts: nobody, this server for its instances, or the clients themselves',
  },
  'dns.search': { type: 'string', summary: 'Search domains, separated by commas', check: check.each(check.domain) },
  'dns.zone.forward': { type: 'string', summary: 'DNS zone of the names of instances', check: check.zoneName },
  'dns.zone.reverse.ipv4': { type: 'string', summary: 'DNS zone of IPv4 addresses', check: check.zoneName },
  'dns.zone.reverse.ipv6': { type: 'string', summary: 'DNS zone of IPv6 addresses', check: check.zoneName },
  'fan.overlay_subnet': refused('Subnet of the overlay', noFan),
  'fan.type': refused('Kind of the overlay', noFan),
  'fan.underlay_subnet': refused('Subnet of the underlay', noFan),
  'ipv4.address': {
    type: 'string',
    summary: 'IPv4 address of the bridge with prefix length, "none" or "auto"',
    check: check.orWords(addressWords, check.hostCidr(4)),
  },
  'ipv4.dhcp': { type: 'boolean', default: 'true', summary: 'Whether to allocate IPv4 addresses by DHCP' },
  'ipv4.dhcp.expiry': { type: 'string', default: '1h', summary: 'When DHCP leases expire', check: check.leaseTime },
  'ipv4.dhcp.gateway': { type: 'string', summary: 'Gateway that DHCP clients get', check: check.address(4) },
  'ipv4.dhcp.ranges': {
    type: 'string',
    summary: 'Ranges that DHCP allocates from (FIRST-LAST, separated by commas)',
    check: check.each(check.range(4)),
  },
  'ipv4.firewall': { type: 'boolean', default: 'true', summary: 'Whether to make firewall rules for the network' },
  'ipv4.nat': { type: 'boolean', default: 'false', summary: 'Whether to translate source addresses on the way out' },
  'ipv4.nat.address': { type: 'string', summary: 'Source address of outbound traffic', check: check.address(4) },
  'ipv4.nat.order': { type: 'enum', values: ['before', 'after'], default: 'before', summary: 'Order of NAT rules' },
  'ipv4.ovn.ranges': refused('Ranges for routers of OVN networks', noOvn),
  'ipv4.routes': {
    type: 'string',
    summary: 'Further IPv4 subnets to route to the bridge, separated by commas',
    check: check.each(check.subnet(4)),
  },
  'ipv4.routing': { type: 'boolean', default: 'true', summary: 'Whether traffic is routed in and out of the bridge' },
  'ipv6.address': {
    type: 'string',
    summary: 'IPv6 address of the bridge with prefix length, "none" or "auto"',
    check: check.orWords(addressWords, check.hostCidr(6)),
  },
  'ipv6.dhcp': { type: 'boolean', default: 'true', summary: 'Whether to give configuration by DHCPv6' },
  'ipv6.dhcp.expiry': { type: 'string', default: '1h', summary: 'When DHCPv6 leases expire', check: check.leaseTime },
  'ipv6.dhcp.ranges': {
    type: 'string',
    summary: 'Ranges that DHCPv6 allocates from (FIRST-LAST, separated by commas)',
    check: check.each(check.range(6)),
  },
  'ipv6.dhcp.stateful': { type: 'boolean', default: 'false', summary: 'Whether to allocate addresses by DHCPv6' },
  'ipv6.firewall': { type: 'boolean', default: 'true', summary: 'Whether to make firewall rules for the network' },
  'ipv6.nat': { type: 'boolean', default: 'false', summary: 'Whether to translate source addresses on the way out' },
  'ipv6.nat.address': { type: 'string', summary: 'Source address of outbound traffic', check: check.address(6) },
  'ipv6.nat.order': { type: 'enum', values: ['before', 'after'], default: 'before', summary: 'Order of NAT rules' },
  'ipv6.ovn.ranges': refused('Ranges for routers of OVN networks', noOvn),
  'ipv6.routes': {
    type: 'string',
    summary: 'Further IPv6 subnets to route to the bridge, separated by commas',
    check: check.each(check.subnet(6)),
  },
  'ipv6.routing': { type: 'boolean', default: 'true', summary: 'Whether traffic is routed in and out of the bridge' },
  'maas.subnet.ipv4': refused('MAAS subnet for IPv4', 'needs a MAAS server, which this release does not speak to'),
  'maas.subnet.ipv6': refused('MAAS subnet for IPv6', 'needs a MAAS server, which this release does not speak to'),
  'raw.dnsmasq': { type: 'text', summary: 'Lines to append to the configuration of dnsmasq' },
  'security.acls': {
    type: 'string',
    summary: 'Access lists of the network, separated by commas',
    check: check.each(check.aclName),
  },
  'security.acls.default.egress.action': {
    ...aclAction,
    summary: 'What happens to packets that no egress rule matches',
  },
  'security.acls.default.egress.logged': {
    type: 'boolean',
    default: 'false',
    summary: 'Whether packets that no egress rule matches are logged',
  },
  'security.acls.default.ingress.action': {
    ...aclAction,
    summary: 'What happens to packets that no ingress rule matches',
  },
  'security.acls.default.ingress.logged': {
    type: 'boolean',
    default: 'false',
    summary: 'Whether packets that no ingress rule matches are logged',
  },
  ...tunnelKeys,
  'user.*': { type: 'string', summary: 'Free for users' },
  'volatile.bridge.hwaddr': {
    type: 'string',
    summary: 'MAC address that was chosen for the bridge',
    check: check.hardwareAddress,
  },
});
