import { describe, expect, test } from 'vitest';
import type { DeviceMap } from '#api/common.ts';
import type { DeviceFacts } from './device.ts';
import { checkExpandedDevices, runVolatile } from './devices.ts';

const facts: DeviceFacts = {
  networks: new Map([
    ['br', { type: 'bridge', config: { 'ipv4.address': '10.1.2.1/24' } }],
    ['mnet', { type: 'macvlan', config: { parent: 'lo', mtu: '1400' } }],
    ['pnet', { type: 'physical', config: { parent: 'lo' } }],
  ]),
  pools: new Set(),
};

function problem(options: DeviceMap): string {
  try {
    checkExpandedDevices({ n: { type: 'nic', ...options } }, facts);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const samples: DeviceMap = {
  name: 'e0',
  hwaddr: '00:16:3e:11:22:33',
  mtu: '1400',
  host_name: 'hh',
  vlan: '5',
  'vlan.tagged': '6,10-12',
  gvrp: 'true',
  'boot.priority': '1',
  'ipv4.gateway': 'auto',
  'ipv6.gateway': 'none',
  'ipv4.host_address': '169.254.0.2',
  'ipv6.host_address': 'fe80::9',
  'ipv4.host_table': '10',
  'ipv6.host_table': '10',
  'ipv4.neighbor_probe': 'false',
  'ipv6.neighbor_probe': 'false',
  'ipv4.routes': '10.5.0.0/24',
  'ipv6.routes': 'fd05::/64',
  'ipv4.routes.external': '10.6.0.0/24',
  'ipv6.routes.external': 'fd06::/64',
  'limits.ingress': '1Mbit',
  'limits.egress': '1Mbit',
  'limits.max': '1Mbit',
  'limits.priority': '1',
  'queue.tx.length': '5',
  'security.mac_filtering': 'true',
  'security.port_isolation': 'true',
  'security.acls': 'a',
  mode: 'bridge',
};

const own = ['name', 'hwaddr', 'mtu'];
const limits = ['limits.ingress', 'limits.egress', 'limits.max'];
const routes = ['ipv4.routes', 'ipv6.routes'];
const routed = ['gateway', 'host_address', 'host_table', 'neighbor_probe'].flatMap(key => [
  `ipv4.${key}`,
  `ipv6.${key}`,
]);

/** What stock LXD 5.0.2 accepts. */
const accepted: Readonly<Record<string, readonly string[]>> = {
  bridged: [
    ...[...own, 'host_name', 'vlan', 'vlan.tagged', 'boot.priority', ...routes, ...limits],
    ...['ipv4.routes.external', 'ipv6.routes.external', 'security.mac_filtering', 'security.port_isolation'],
  ],
  p2p: [...own, 'host_name', 'boot.priority', ...routes, ...limits],
  macvlan: [...own, 'vlan', 'gvrp', 'boot.priority'],
  physical: [...own, 'vlan', 'gvrp', 'boot.priority'],
  routed: [...own, 'host_name', 'vlan', 'gvrp', ...routed, ...routes, ...limits],
};

test.each(Object.entries(accepted))('%s has the keys that it has in LXD, and no others', (nictype, keys) => {
  const base = {
    nictype,
    ...(nictype !== 'p2p' && { parent: 'lo' }),
    ...(nictype === 'routed' && { 'ipv4.address': '10.1.1.2,10.1.1.3', 'ipv6.address': 'fd00::2' }),
  };
  expect(problem(base)).toBe('');
  const taken = Object.entries(samples).filter(([key, value]) => problem({ ...base, [key]: value }) === '');
  expect(taken.map(([key]) => key).sort()).toEqual([...keys].sort());
});

test.each<[DeviceMap, string]>([
  [{}, 'key "network" or "nictype" is required'],
  [{ nictype: 'foo' }, 'key "nictype" must be one of bridged, ipvlan, macvlan, ovn, p2p, physical, routed, sriov'],
  [{ nictype: 'p2p', parent: 'lo' }, 'key "parent" is not a known key'],
  [{ nictype: 'macvlan' }, 'key "parent" is required'],
  [{ nictype: 'physical' }, 'key "parent" is required'],
  [{ nictype: 'routed', vlan: '5' }, 'key "vlan" can only be set with "parent"'],
  [{ nictype: 'routed', 'ipv4.routes': '10.7.0.0/24' }, 'key "ipv4.routes" requires "ipv4.address"'],
  [{ nictype: 'routed', 'ipv4.address': '10.1.1.2/24' }, 'key "ipv4.address" must be an IPv4 address'],
  [{ nictype: 'routed', 'ipv4.gateway': 'foo' }, 'key "ipv4.gateway" must be one of auto, none'],
  [{ nictype: 'p2p', 'ipv4.routes': '10.7.0.1/24' }, 'key "ipv4.routes"'],
  [{ nictype: 'p2p', 'ipv4.routes': '10.7.0.0/24\nlink del lo' }, 'key "ipv4.routes"'],
  [{ nictype: 'p2p', 'limits.max': 'foo' }, 'key "limits.max" must be bits a second'],
  [{ nictype: 'p2p', hwaddr: 'foo' }, 'key "hwaddr"'],
  [{ nictype: 'bridged', parent: 'br', vlan: '5', 'vlan.tagged': '4-6' }, 'key "vlan.tagged" holds 5'],
  [{ nictype: 'bridged', parent: 'br', vlan: 'untagged' }, 'key "vlan"'],
  [{ nictype: 'sriov', parent: 'lo' }, 'virtual functions'],
  [{ nictype: 'ovn', network: '' }, 'Open Virtual Network'],
  [{ nictype: 'ipvlan', parent: 'lo' }, '"ipvlan" is not supported'],
  [{ network: 'nonet' }, 'names the network "nonet", which does not exist'],
  [{ network: 'mnet', mtu: '1400' }, 'key "mtu" cannot be set with "network"'],
  [{ network: 'mnet', vlan: '5' }, 'key "vlan" cannot be set with "network"'],
  [{ network: 'br', nictype: 'bridged' }, 'key "nictype" cannot be set with "network"'],
  [{ network: 'mnet', host_name: 'xx' }, 'key "host_name" is not for NICs on networks of type "macvlan"'],
  [{ network: 'br', 'ipv4.address': '10.1.3.7' }, "is not in the network's subnet"],
])('%j is refused', (options, reason) => {
  expect(problem(options)).toContain(reason);
});

test.each<DeviceMap>([
  { network: 'mnet', name: 'e1' },
  { network: 'pnet', 'boot.priority': '1' },
  { network: 'br', 'ipv4.address': '10.1.2.7', 'limits.max': '10Mbit' },
  { nictype: 'bridged', parent: 'br', vlan: 'none', 'vlan.tagged': '1-3,9' },
])('%j is good', options => {
  expect(problem(options)).toBe('');
});

test('only one routed NIC is the default gateway', () => {
  const routed = { type: 'nic', nictype: 'routed', 'ipv4.address': '10.1.1.2' };
  const none = { 'ipv4.gateway': 'none', 'ipv6.gateway': 'none' };
  expect(() => checkExpandedDevices({ a: routed, b: routed }, facts)).toThrow(
    'Device "b": Existing NIC "a" already uses "ipv4.gateway" in auto mode',
  );
  expect(() => checkExpandedDevices({ a: routed, b: { ...routed, ...none } }, facts)).not.toThrow();
});

describe('names of one run', () => {
  const run = (options: DeviceMap, config: DeviceMap = {}): DeviceMap =>
    runVolatile({ n: { type: 'nic', ...options } }, config, facts.networks);
  test('a veth pair has a new name on the host, and the one it had in the container', () => {
    const first = run({ nictype: 'p2p' });
    expect(first).toEqual({
      'volatile.n.host_name': expect.stringMatching(/^veth[0-9a-f]{8}$/),
      'volatile.n.name': 'eth0',
    });
    expect(run({ nictype: 'p2p', host_name: 'mine' }, { 'volatile.n.name': 'eth3' })).toEqual({
      'volatile.n.host_name': 'mine',
      'volatile.n.name': 'eth3',
    });
  });
  test('a link of the host is remembered as it was', () => {
    expect(run({ network: 'pnet', name: 'e0' })).toEqual({
      'volatile.n.host_name': 'lo',
      'volatile.n.last_state.created': 'false',
      'volatile.n.last_state.hwaddr': '00:00:00:00:00:00',
      'volatile.n.last_state.mtu': '65536',
    });
  });
});
