import { defineKeys, type KeyRule } from '#base/config-schema.ts';
import * as check from '../checks.ts';

const noOvn = 'is for OVN networks, which this server does not have';
const noBgp = 'has no effect in this release: this server does not speak BGP';
const noMaas = 'needs a MAAS server, which this release does not speak to';

/** A key of LXD's that this server can do nothing with: it is known, and refused with the reason. */
function refused(summary: string, reason: string): KeyRule {
  return { type: 'string', summary, check: () => reason };
}

/** Config of networks of type "macvlan", named and meant as LXD 5.0 does. */
export const macvlanKeys = defineKeys({
  gvrp: { type: 'boolean', default: 'false', summary: 'Whether to register the VLAN with the switch (GVRP)' },
  'maas.subnet.ipv4': refused('MAAS subnet for IPv4', noMaas),
  'maas.subnet.ipv6': refused('MAAS subnet for IPv6', noMaas),
  mtu: { type: 'integer', min: 1280, max: 16_384, summary: 'MTU of its NICs' },
  parent: { type: 'string', summary: 'Host interface that NICs are made of', check: check.interfaceName },
  'user.*': { type: 'string', summary: 'Free for users' },
  vlan: { type: 'integer', min: 0, max: 4094, summary: 'VLAN on the host interface' },
});

/** Likewise for networks of type "physical". */
export const physicalKeys = defineKeys({
  ...macvlanKeys,
  'bgp.peers.*.address': refused('Address of a BGP peer', noBgp),
  'bgp.peers.*.asn': refused('AS number of a BGP peer', noBgp),
  'bgp.peers.*.password': refused('Session password of a BGP peer', noBgp),
  'dns.nameservers': { type: 'string', summary: 'Name servers on the network', check: check.each(check.anyAddress) },
  'ipv4.gateway': { type: 'string', summary: 'Gateway and its subnet', check: check.hostCidr(4) },
  'ipv4.ovn.ranges': refused('Ranges for routers of OVN networks', noOvn),
  'ipv4.routes': { type: 'string', summary: 'Further IPv4 subnets on the network', check: check.each(check.subnet(4)) },
  'ipv4.routes.anycast': refused('Whether OVN networks may share subnets', noOvn),
  'ipv6.gateway': { type: 'string', summary: 'Gateway and its subnet', check: check.hostCidr(6) },
  'ipv6.ovn.ranges': refused('Ranges for routers of OVN networks', noOvn),
  'ipv6.routes': { type: 'string', summary: 'Further IPv6 subnets on the network', check: check.each(check.subnet(6)) },
  'ipv6.routes.anycast': refused('Whether OVN networks may share subnets', noOvn),
  'ovn.ingress_mode': refused('How OVN networks are reached', noOvn),
});
