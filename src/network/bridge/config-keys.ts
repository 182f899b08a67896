import { defineKeys } from '#base/config-schema.ts';
import * as check from '../checks.ts';

const addressWords = ['none', 'auto'];

/** Config of networks of type "bridge", named and meant as LXD 5.0 does. */
export const bridgeKeys = defineKeys({
  'bridge.driver': { type: 'enum', values: ['native'], summary: 'Bridge implementation', default: 'native' },
  'bridge.mode': { type: 'enum', values: ['standard'], summary: 'Bridge operation mode', default: 'standard' },
  'bridge.external_interfaces': {
    type: 'string',
    summary: 'Unconfigured host interfaces to add to the bridge, separated by commas',
    check: check.each(check.interfaceName),
  },
  'bridge.hwaddr': { type: 'string', summary: 'MAC address of the bridge', check: check.hardwareAddress },
  'bridge.mtu': { type: 'integer', min: 1280, max: 65_535, summary: 'Bridge MTU', default: '1500' },
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
  'ipv6.routes': {
    type: 'string',
    summary: 'Further IPv6 subnets to route to the bridge, separated by commas',
    check: check.each(check.subnet(6)),
  },
  'ipv6.routing': { type: 'boolean', default: 'true', summary: 'Whether traffic is routed in and out of the bridge' },
  'raw.dnsmasq': { type: 'text', summary: 'Lines to append to the configuration of dnsmasq' },
  'user.*': { type: 'string', summary: 'Free for users' },
  'volatile.bridge.hwaddr': {
    type: 'string',
    summary: 'MAC address that was chosen for the bridge',
    check: check.hardwareAddress,
  },
});
