import { access, readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import type { ConfigMap, DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { NicPlace } from '#network/driver.ts';
import type { DeviceContext, DeviceFacts, DeviceProblem, DeviceType, RuntimePart } from './device.ts';
import { applyVlans, prepareVlans, usesVlans, vlanProblem } from './nic-bridge-vlan.ts';
import { addressOf, hostNameOf, keepHardwareAddress, linkNames, linkOf } from './nic-common.ts';
import {
  applyFilter,
  applyIsolation,
  filterKeys,
  isFiltered,
  isSet,
  removeFilter,
  unmanagedFilterProblem,
} from './nic-filter.ts';
import { bridgedKeys, kindKey } from './nic-keys.ts';
import { applyLimits, applyRoutes, dropRoutes, removeHostEnd } from './nic-traffic.ts';

const keys = { ...kindKey('bridged'), ...bridgedKeys, ...filterKeys };

/** A veth pair that joins a managed network or a bridge of the host. */
export const nicBridged: DeviceType = {
  type: 'nic',
  keys,
  problem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined {
    if (!options['network'] && options['nictype'] !== 'bridged')
      return { key: 'network', reason: 'or "nictype" is required' };
    if (!options['network'] && !options['parent'])
      return { key: 'parent', reason: 'is required for nictype "bridged"' };
    const known = facts.networks.get((options['network'] || options['parent']) ?? '');
    const unfit = vlanProblem(options);
    if (unfit || !known) return unfit ?? unmanagedFilterProblem(options);
    return addressProblem(options, 'ipv4', known.config) ?? addressProblem(options, 'ipv6', known.config);
  },
  keep: keepHardwareAddress,
  perRun: (options, kept, taken) => linkNames(options, kept, taken, 'veth'),
  link: context => linkOf(context, 'veth'),
  async start(context: DeviceContext): Promise<RuntimePart> {
    const place = await joinNetwork(context);
    if (usesVlans(context.options)) await prepareVlans(place.bridge, managedName(context) !== undefined);
    await applyFilter(context, place);
    const mtu = await mtuOf(place.bridge);
    return { nics: [{ mtu, ...linkOf(context, 'veth'), bridge: place.bridge }], mounts: [] };
  },
  async started(context: DeviceContext): Promise<void> {
    const { services, options } = context;
    await services.networks.find(managedName(context) ?? '')?.joined({ hostInterface: hostNameOf(context) });
    if (isSet(options, 'security.port_isolation')) await applyIsolation(context);
    if (usesVlans(options)) await applyVlans(hostNameOf(context), options);
    await applyLimits(context);
    await applyRoutes(options, bridgeOf(context));
  },
  async update(context: DeviceContext, before: DeviceMap): Promise<void> {
    const place = await joinNetwork(context);
    await applyLimits(context, before);
    await applyRoutes(context.options, place.bridge, before);
    if (isFiltered(context.options)) await applyFilter(context, place);
    else await removeFilter({ ...context, options: before });
    await applyIsolation(context);
  },
  async stop(context: DeviceContext): Promise<void> {
    const { services, instance, name } = context;
    await services.networks.find(managedName(context) ?? '')?.detach({ instance, device: name });
    await removeFilter(context);
    removeHostEnd(context);
    await dropRoutes(context.options, bridgeOf(context));
  },
};

/** The managed network that a NIC is on; it may name the bridge as its parent. */
function managedName({ services, options }: DeviceContext): string | undefined {
  if (options['network']) return options['network'];
  return services.networks.find(options['parent'] ?? '') ? options['parent'] : undefined;
}

/** A managed bridge has the name of its network. */
function bridgeOf({ options }: DeviceContext): string {
  return (options['network'] || options['parent']) ?? '';
}

async function mtuOf(link: string): Promise<number> {
  return Number(await readFile(`/sys/class/net/${link}/mtu`, 'utf8').catch(() => '1500'));
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
