import { defineKeys, type KeyRule, type KeyTable } from '#base/config-schema.ts';
import { interfaceNameProblem } from '#base/names.ts';
import * as check from '#network/checks.ts';
import { parseBitRate } from '#network/nic-limits.ts';

const rate = (summary: string): KeyRule => ({ type: 'string', live: true, summary, check: rateProblem });
const ofMaas = {
  type: 'string',
  summary: 'MAAS subnet',
  check: () => 'needs a MAAS server, which is not spoken to',
} as const;

/** Keys of every kind of NIC. */
const common = defineKeys({
  name: { type: 'string', summary: 'Name of the link in the instance', check: interfaceNameProblem },
  hwaddr: { type: 'string', summary: 'Hardware address', check: check.hardwareAddress },
  mtu: { type: 'integer', min: 68, max: 65_535, summary: 'Largest packet in bytes' },
});

const boot = defineKeys({
  'boot.priority': { type: 'integer', summary: 'Order of network boot; without effect on containers' },
});

/** Of kinds that have an end on the host, where traffic can be limited. */
const hostEnd = defineKeys({
  host_name: { type: 'string', summary: 'Name of the link on the host', check: interfaceNameProblem },
  'limits.ingress': rate('Most bits a second to the instance, such as "10Mbit"'),
  'limits.egress': rate('Most bits a second from the instance'),
  'limits.max': rate('Both of them'),
});

const routes = defineKeys({
  'ipv4.routes': {
    type: 'string',
    live: true,
    summary: 'IPv4 subnets that the host routes to the NIC',
    check: check.each(check.subnet(4)),
  },
  'ipv6.routes': {
    type: 'string',
    live: true,
    summary: 'IPv6 subnets that the host routes to the NIC',
    check: check.each(check.subnet(6)),
  },
});

const tagged = defineKeys({
  parent: { type: 'string', summary: 'Interface of the host', check: interfaceNameProblem },
  vlan: { type: 'integer', min: 0, max: 4094, summary: 'VLAN on the interface of the host' },
  gvrp: { type: 'boolean', default: 'false', summary: 'Whether to register the VLAN with the switch (GVRP)' },
});

const maas = defineKeys({ 'maas.subnet.ipv4': ofMaas, 'maas.subnet.ipv6': ofMaas });

/** The key that names the kind, which the table of that kind accepts alone. */
export function kindKey(kind: string): KeyTable {
  return defineKeys({
    nictype: { type: 'enum', values: [kind], summary: 'Kind of NIC; given by the network when there is one' },
  });
}

const network = defineKeys({ network: { type: 'string', summary: 'Managed network to join' } });

export const bridgedKeys = defineKeys({
  ...common,
  ...boot,
  ...hostEnd,
  ...routes,
  ...maas,
  ...network,
  parent: { type: 'string', summary: 'Bridge of the host to join', check: interfaceNameProblem },
  'ipv4.address': {
    type: 'string',
    live: true,
    summary: 'Address that DHCP always gives, or "none"',
    check: check.orWords(['none'], check.address(4)),
  },
  'ipv6.address': {
    type: 'string',
    live: true,
    summary: 'Address that DHCP always gives, or "none"',
    check: check.orWords(['none'], check.address(6)),
  },
  'ipv4.routes.external': {
    type: 'string',
    summary: 'IPv4 subnets to tell BGP peers of; without effect, as there are none',
    check: check.each(check.subnet(4)),
  },
  'ipv6.routes.external': {
    type: 'string',
    summary: 'IPv6 subnets to tell BGP peers of; without effect, as there are none',
    check: check.each(check.subnet(6)),
  },
  vlan: {
    type: 'string',
    summary: 'VLAN of untagged traffic, or "none" for no such traffic',
    check: check.orWords(['none'], vlanProblem),
  },
  'vlan.tagged': { type: 'string', summary: 'VLANs of tagged traffic', check: check.each(vlanRangeProblem) },
});

export const p2pKeys = defineKeys({ ...kindKey('p2p'), ...common, ...boot, ...hostEnd, ...routes });
export const macvlanKeys = defineKeys({ ...kindKey('macvlan'), ...common, ...boot, ...maas, ...network, ...tagged });
export const physicalKeys = defineKeys({ ...kindKey('physical'), ...common, ...boot, ...maas, ...network, ...tagged });

export const routedKeys = defineKeys({
  ...kindKey('routed'),
  ...common,
  ...hostEnd,
  ...tagged,
  ...routedFamily(4, '169.254.0.1'),
  ...routedFamily(6, 'fe80::1'),
});

export const ipvlanKeys = defineKeys({
  ...kindKey('ipvlan'),
  ...common,
  ...tagged,
  mode: { type: 'enum', values: ['l2', 'l3s'], default: 'l3s', summary: 'What of packets it looks at' },
  'ipv4.address': { type: 'string', summary: 'IPv4 addresses', check: check.each(check.address(4)) },
  'ipv4.gateway': { type: 'string', summary: 'Default gateway' },
  'ipv4.host_table': { type: 'integer', min: 0, summary: 'Routing table of the host' },
  'ipv6.address': { type: 'string', summary: 'IPv6 addresses', check: check.each(check.address(6)) },
  'ipv6.gateway': { type: 'string', summary: 'Default gateway' },
  'ipv6.host_table': { type: 'integer', min: 0, summary: 'Routing table of the host' },
});

function routedFamily(family: 4 | 6, hostAddress: string): KeyTable {
  const ip = `ipv${String(family)}`;
  const name = `IPv${String(family)}`;
  return {
    [`${ip}.address`]: { type: 'string', summary: `${name} addresses`, check: check.each(check.address(family)) },
    [`${ip}.gateway`]: {
      type: 'enum',
      values: ['auto', 'none'],
      default: 'auto',
      summary: `Whether the host is the default gateway for ${name}`,
    },
    [`${ip}.host_address`]: {
      type: 'string',
      default: hostAddress,
      summary: "Address of the host's end",
      check: check.address(family),
    },
    [`${ip}.host_table`]: {
      type: 'integer',
      min: 0,
      max: 2 ** 32 - 1,
      summary: 'Routing table that its routes are in as well',
    },
    [`${ip}.neighbor_probe`]: {
      type: 'boolean',
      default: 'true',
      summary: 'Whether to ask at the parent first if an address is taken',
    },
    [`${ip}.routes`]: {
      type: 'string',
      summary: `${name} subnets that are routed to its first address`,
      check: check.each(check.subnet(family)),
    },
  };
}

function rateProblem(value: string): string | undefined {
  return parseBitRate(value) === undefined ? 'must be bits a second such as 10Mbit or 1Gbit' : undefined;
}

function vlanProblem(value: string): string | undefined {
  return /^\d{1,4}$/.test(value) && Number(value) >= 1 && Number(value) <= 4094
    ? undefined
    : 'must be a VLAN, 1 to 4094';
}

function vlanRangeProblem(value: string): string | undefined {
  const [from = '', to = from, ...more] = value.split('-');
  if (more.length > 0 || vlanProblem(from) !== undefined || vlanProblem(to) !== undefined || Number(from) > Number(to))
    return 'must be VLANs such as 5 or 10-20';
  return undefined;
}
