import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import type { ConfigMap, DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys } from '#base/config-schema.ts';
import { interfaceNameProblem } from '#base/names.ts';
import type { NicPlace } from '#network/driver.ts';
import type { DeviceContext, DeviceFacts, DeviceProblem, DeviceType, RuntimePart } from './device.ts';
import {
  applyFilter,
  applyIsolation,
  filterKeys,
  isFiltered,
  isSet,
  removeFilter,
  unmanagedFilterProblem,
} from './nic-filter.ts';

const keys = defineKeys({
  nictype: { type: 'enum', values: ['bridged'], summary: 'Kind of NIC; given by the network when there is one' },
  network: { type: 'string', summary: 'Managed network to join' },
  parent: { type: 'string', summary: 'Bridge of the host to join', check: interfaceNameProblem },
  name: { type: 'string', summary: 'Name of the link in the instance', check: interfaceNameProblem },
  hwaddr: { type: 'string', summary: 'Hardware address', check: hardwareAddressProblem },
  host_name: { type: 'string', summary: 'Name of the link on the host', check: interfaceNameProblem },
  mtu: { type: 'integer', min: 68, max: 65_535, summary: 'Largest packet in bytes' },
  'ipv4.address': {
    type: 'string',
    live: true,
    summary: 'Address that DHCP always gives, or "none"',
    check: ipv4Problem,
  },
  'ipv6.address': {
    type: 'string',
    live: true,
    summary: 'Address that DHCP always gives, or "none"',
    check: ipv6Problem,
  },
  ...filterKeys,
  'boot.priority': { type: 'integer', summary: 'Order of network boot; without effect on containers' },
});

/** A veth pair that joins a managed network or a bridge of the host. */
export const nicBridged: DeviceType = {
  type: 'nic',
  keys,
  problem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined {
    const network = options['network'] ?? '';
    if (network !== '') {
      for (const key of ['nictype', 'parent']) {
        if (options[key]) return { key, reason: 'cannot be set with "network"' };
      }
      const known = facts.networks.get(network);
      if (!known) return { key: 'network', reason: `names the network "${network}", which does not exist` };
      if (known.type !== 'bridge') return { key: 'network', reason: `"${network}" is no bridge` };
      return addressProblem(options, 'ipv4', known.config) ?? addressProblem(options, 'ipv6', known.config);
    }
    if (options['nictype'] !== 'bridged') return { key: 'network', reason: 'or "nictype" is required' };
    if (!options['parent']) return { key: 'parent', reason: 'is required for nictype "bridged"' };
    const parent = facts.networks.get(options['parent']);
    if (parent) return addressProblem(options, 'ipv4', parent.config) ?? addressProblem(options, 'ipv6', parent.config);
    return unmanagedFilterProblem(options);
  },
  keep(options: DeviceMap, kept: ConfigMap): ConfigMap {
    return options['hwaddr'] || kept['hwaddr'] ? {} : { hwaddr: newHardwareAddress() };
  },
  perRun(options: DeviceMap, kept: ConfigMap, taken: ReadonlySet<string>): ConfigMap {
    return {
      host_name: options['host_name'] ?? `veth${randomBytes(4).toString('hex')}`,
      ...(!options['name'] && { name: kept['name'] ?? firstFree('eth', taken) }),
    };
  },
  async start(context: DeviceContext): Promise<RuntimePart> {
    const { options, volatile } = context;
    const place = await joinNetwork(context);
    await applyFilter(context, place);
    const nic = {
      hostName: volatile['host_name'] ?? '',
      bridge: place.bridge,
      name: (options['name'] || volatile['name']) ?? 'eth0',
      hardwareAddress: addressOf(context),
      ...(options['mtu'] && { mtu: Number(options['mtu']) }),
    };
    return { nics: [nic], mounts: [] };
  },
  async started(context: DeviceContext): Promise<void> {
    const { services, volatile } = context;
    await services.networks.find(managedName(context) ?? '')?.joined({ hostInterface: volatile['host_name'] ?? '' });
    if (isSet(context.options, 'security.port_isolation')) await applyIsolation(context);
  },
  async update(context: DeviceContext, before: DeviceMap): Promise<void> {
    const place = await joinNetwork(context);
    if (isFiltered(context.options)) await applyFilter(context, place);
    else await removeFilter({ ...context, options: before });
    await applyIsolation(context);
  },
  async stop(context: DeviceContext): Promise<void> {
    const { services, instance, name } = context;
    await services.networks.find(managedName(context) ?? '')?.detach({ instance, device: name });
    await removeFilter(context);
  },
};

/** The managed network that a NIC is on; it may name the bridge as its parent. */
function managedName({ services, options }: DeviceContext): string | undefined {
  if (options['network']) return options['network'];
  return services.networks.find(options['parent'] ?? '') ? options['parent'] : undefined;
}

function addressOf({ options, volatile }: DeviceContext): string {
  return (options['hwaddr'] || volatile['hwaddr']) ?? '';
}

/** Makes the NIC known to its network; what it gets there. */
async function joinNetwork(context: DeviceContext): Promise<NicPlace> {
  const { services, instance, hostName, name, options, volatile } = context;
  const ipv4Address = options['ipv4.address'];
  const ipv6Address = options['ipv6.address'];
  const addresses = { ...(ipv4Address && { ipv4Address }), ...(ipv6Address && { ipv6Address }) };
  const managed = managedName(context);
  if (managed !== undefined) {
    return await services.networks.get(managed).attach({
      instance,
      device: name,
      hostName,
      hostInterface: volatile['host_name'] ?? '',
      hardwareAddress: addressOf(context),
      ...addresses,
      ipv4Filtering: isSet(options, 'security.ipv4_filtering'),
      ipv6Filtering: isSet(options, 'security.ipv6_filtering'),
    });
  }
  const bridge = options['parent'] ?? '';
  await access(`/sys/class/net/${bridge}/bridge`).catch(() => {
    throw new ApiError('failed-precondition', `Device "${name}" cannot start: "${bridge}" is no bridge of this host`);
  });
  return { bridge, ...(ipv4Address && { ipv4: ipv4Address }), ...(ipv6Address && { ipv6: ipv6Address }) };
}

function newHardwareAddress(): string {
  // 00:16:3e is Xen's range, which LXD uses
  return `00:16:3e:${[...randomBytes(3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`;
}

function firstFree(prefix: string, taken: ReadonlySet<string>): string {
  for (let number = 0; ; number += 1) {
    if (!taken.has(`${prefix}${String(number)}`)) return `${prefix}${String(number)}`;
  }
}

function hardwareAddressProblem(value: string): string | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) return 'must be an address such as "00:16:3e:12:34:56"';
  return Number.parseInt(value.slice(0, 2), 16) % 2 === 0 ? undefined : 'must not be a multicast address';
}

function ipv4Problem(value: string): string | undefined {
  return isIPv4(value) || value === 'none' ? undefined : 'must be an IPv4 address or "none"';
}

function ipv6Problem(value: string): string | undefined {
  return (isIPv6(value) && !value.includes('%')) || value === 'none' ? undefined : 'must be an IPv6 address or "none"';
}

/** A static address must lie in the network's own subnet, or dnsmasq would never give it. */
function addressProblem(options: DeviceMap, family: 'ipv4' | 'ipv6', network: ConfigMap): DeviceProblem | undefined {
  const key = `${family}.address`;
  const address = options[key];
  if (!address || address === 'none') return undefined;
  const [base = '', length] = (network[key] ?? 'none').split('/');
  if (isIP(base) === 0 || length === undefined) return { key, reason: `needs a network with "${key}"` };
  const subnet = new BlockList();
  subnet.addSubnet(base, Number(length), family);
  if (!subnet.check(address, family)) return { key, reason: `is not in the network's subnet ${base}/${length}` };
  return address === base ? { key, reason: "is the network's own address" } : undefined;
}
