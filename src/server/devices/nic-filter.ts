import { writeFile } from 'node:fs/promises';
import type { DeviceMap } from '#api/common.ts';
import { defineKeys, effectiveBoolean } from '#base/config-schema.ts';
import type { NicPlace } from '#network/driver.ts';
import { type Cidr, parseAddress } from '#network/ip-address.ts';
import { ensureNicFilter, removeNicFilter } from '#network/nic-filter.ts';
import type { DeviceContext, DeviceProblem } from './device.ts';

/** Options that keep a guest from sending as somebody else. */
export const filterKeys = defineKeys({
  'security.mac_filtering': {
    type: 'boolean',
    live: true,
    summary: "Let out only what has the NIC's hardware address",
  },
  'security.ipv4_filtering': {
    type: 'boolean',
    live: true,
    summary: "Let out only what has the NIC's IPv4 address, and its hardware address",
  },
  'security.ipv6_filtering': {
    type: 'boolean',
    live: true,
    summary: "Let out only what has the NIC's IPv6 address, and its hardware address",
  },
  'security.port_isolation': {
    type: 'boolean',
    live: true,
    summary: 'Keep the NIC from reaching other isolated NICs of the bridge',
  },
});

type FilterKey = keyof typeof filterKeys;

export function isSet(options: DeviceMap, key: FilterKey): boolean {
  return effectiveBoolean(filterKeys, options, key);
}

/** Without a network to give it an address, a NIC needs the one that it is held to in its own options. */
export function unmanagedFilterProblem(options: DeviceMap): DeviceProblem | undefined {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const key = `security.${family}_filtering` as const;
    if (isSet(options, key) && !options[`${family}.address`])
      return { key, reason: `needs "${family}.address" on a bridge that is not managed` };
  }
  return undefined;
}

/** Has the rules in place that the options ask for, and no others. */
export async function applyFilter(context: DeviceContext, place: NicPlace): Promise<void> {
  const { services, instance, name, options, volatile } = context;
  const table = services.networks.firewallTable;
  const ipv4 = isSet(options, 'security.ipv4_filtering');
  const ipv6 = isSet(options, 'security.ipv6_filtering');
  if (!isFiltered(options)) return;
  await ensureNicFilter(table, {
    instance,
    device: name,
    hostInterface: volatile['host_name'] ?? '',
    hardwareAddress: ((options['hwaddr'] || volatile['hwaddr']) ?? '').toLowerCase(),
    ...(ipv4 && { ipv4: hostOf(place.ipv4, 4) }),
    ...(ipv6 && { ipv6: hostOf(place.ipv6, 6) }),
  });
}

/** Removes the rules of a NIC with these options; succeeds when there are none. */
export async function removeFilter({ services, instance, name, options }: DeviceContext): Promise<void> {
  if (isFiltered(options)) await removeNicFilter(services.networks.firewallTable, { instance, device: name });
}

export function isFiltered(options: DeviceMap): boolean {
  return (['mac', 'ipv4', 'ipv6'] as const).some(kind => isSet(options, `security.${kind}_filtering`));
}

/** Keeps the host end from passing to other isolated ones (bridge(8), isolated); it must be on a bridge. */
export async function applyIsolation({ options, volatile }: DeviceContext): Promise<void> {
  const file = `/sys/class/net/${volatile['host_name'] ?? ''}/brport/isolated`;
  await writeFile(file, isSet(options, 'security.port_isolation') ? '1' : '0');
}

function hostOf(text: string | undefined, family: 4 | 6): readonly Cidr[] {
  const address = text === undefined ? undefined : parseAddress(text, family);
  return address ? [{ ...address, prefixLength: family === 4 ? 32 : 128 }] : [];
}
