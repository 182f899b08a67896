import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import type { ConfigMap, DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys } from '#base/config-schema.ts';
import { interfaceNameProblem } from '#base/names.ts';
import type { DeviceContext, DeviceFacts, DeviceProblem, DeviceType, RuntimePart } from './device.ts';

const keys = defineKeys({
  nictype: { type: 'enum', values: ['bridged'], summary: 'Kind of NIC; given by the network when there is one' },
  network: { type: 'string', summary: 'Managed network to join' },
  parent: { type: 'string', summary: 'Bridge of the host to join', check: interfaceNameProblem },
  name: { type: 'string', summary: 'Name of the link in the instance', check: interfaceNameProblem },
  hwaddr: { type: 'string', summary: 'Hardware address', check: hardwareAddressProblem },
  host_name: { type: 'string', summary: 'Name of the link on the host', check: interfaceNameProblem },
  mtu: { type: 'integer', min: 68, max: 65_535, summary: 'Largest packet in bytes' },
  'ipv4.address': { type: 'string', summary: 'Address that DHCP always gives', check: ipv4Problem },
  'ipv6.address': { type: 'string', summary: 'Address that DHCP always gives', check: ipv6Problem },
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
    for (const key of ['ipv4.address', 'ipv6.address']) {
      if (options[key] && !facts.networks.has(options['parent']))
        return { key, reason: 'needs a managed network, as only that gives out addresses' };
    }
    return undefined;
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
  async start({ services, instance, hostName, name, options, volatile }: DeviceContext): Promise<RuntimePart> {
    const hardwareAddress = (options['hwaddr'] || volatile['hwaddr']) ?? '';
    const hostInterface = volatile['host_name'] ?? '';
    const managed = options['network'] || (services.networks.find(options['parent'] ?? '') ? options['parent'] : '');
    let bridge = options['parent'] ?? '';
    if (managed) {
      const attached = await services.networks.get(managed).attach({
        instance,
        device: name,
        hostName,
        hostInterface,
        hardwareAddress,
        ...(options['ipv4.address'] && { ipv4Address: options['ipv4.address'] }),
        ...(options['ipv6.address'] && { ipv6Address: options['ipv6.address'] }),
      });
      bridge = attached.bridge;
    } else {
      await access(`/sys/class/net/${bridge}/bridge`).catch(() => {
        throw new ApiError(
          'failed-precondition',
          `Device "${name}" cannot start: "${bridge}" is no bridge of this host`,
        );
      });
    }
    const nic = {
      hostName: hostInterface,
      bridge,
      name: (options['name'] || volatile['name']) ?? 'eth0',
      hardwareAddress,
      ...(options['mtu'] && { mtu: Number(options['mtu']) }),
    };
    return { nics: [nic], mounts: [] };
  },
  async stop({ services, instance, name, options }: DeviceContext): Promise<void> {
    const network = services.networks.find((options['network'] || options['parent']) ?? '');
    await network?.detach({ instance, device: name });
  },
};

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
  return isIPv4(value) ? undefined : 'must be an IPv4 address';
}

function ipv6Problem(value: string): string | undefined {
  return isIPv6(value) && !value.includes('%') ? undefined : 'must be an IPv6 address';
}

/** A static address must lie in the network's own subnet, or dnsmasq would never give it. */
function addressProblem(options: DeviceMap, family: 'ipv4' | 'ipv6', network: ConfigMap): DeviceProblem | undefined {
  const key = `${family}.address`;
  const address = options[key];
  if (!address) return undefined;
  const [base = '', length] = (network[key] ?? 'none').split('/');
  if (isIP(base) === 0 || length === undefined) return { key, reason: `needs a network with "${key}"` };
  const subnet = new BlockList();
  subnet.addSubnet(base, Number(length), family);
  if (!subnet.check(address, family)) return { key, reason: `is not in the network's subnet ${base}/${length}` };
  return address === base ? { key, reason: "is the network's own address" } : undefined;
}
