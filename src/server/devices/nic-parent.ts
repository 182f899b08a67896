import { readFileSync } from 'node:fs';
import type { ConfigMap, DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { parseBoolean } from '#base/config-schema.ts';
import { kernel } from '#native/kernel.ts';
import { ensureVlanLink, linkExists, removeVlanLink, vlanLink } from '#network/vlan-link.ts';
import type { DeviceContext, DeviceProblem } from './device.ts';

/** The interface of the host that a NIC is made of. */
export interface Parent {
  readonly name: string;
  readonly vlan: string | undefined;
}

export function parentProblem(options: DeviceMap): DeviceProblem | undefined {
  if (options['network'] || options['parent']) return undefined;
  return { key: 'parent', reason: `is required for nictype "${options['nictype'] ?? ''}"` };
}

/** Volatile values that tell later whether the VLAN's link is ours to remove. */
export function parentVolatile(options: DeviceMap): ConfigMap {
  const name = options['parent'] ?? '';
  const link = vlanLink(name, options['vlan']);
  return { 'last_state.created': String(link !== name && !linkExists(link)) };
}

/** Hardware address and MTU of a link of the host before anything changes them. */
export function linkVolatile(link: string): ConfigMap {
  const read = (file: string): string | undefined => {
    try {
      return readFileSync(`/sys/class/net/${link}/${file}`, 'utf8').trim();
    } catch {
      return undefined; // starting it says so
    }
  };
  const [address, mtu] = [read('address'), read('mtu')];
  return {
    ...(address !== undefined && { 'last_state.hwaddr': address }),
    ...(mtu !== undefined && { 'last_state.mtu': mtu }),
  };
}

/** Has the interface there, with its VLAN; returns its name. */
export async function ensureParent({ name, options }: DeviceContext): Promise<string> {
  const parent = options['parent'] ?? '';
  if (!linkExists(parent) && !linkExists(vlanLink(parent, options['vlan'])))
    throw new ApiError('failed-precondition', `Device "${name}" cannot start: Parent device "${parent}" doesn't exist`);
  await ensureVlanLink(parent, options['vlan'], parseBoolean(options['gvrp'] ?? '') === true);
  return vlanLink(parent, options['vlan']);
}

export function releaseParent({ options, volatile }: DeviceContext): void {
  if (volatile['last_state.created'] === 'true') removeVlanLink(options['parent'] ?? '', options['vlan']);
}

/** Gives a link of the host that came back its name, address and MTU again. */
export function restoreLink({ options, volatile }: DeviceContext): void {
  const name = volatile['host_name'] ?? '';
  const hardwareAddress = volatile['last_state.hwaddr'];
  const mtu = Number(volatile['last_state.mtu']);
  if (!name || hardwareAddress === undefined) return;
  const links = kernel.links();
  // The kernel names it anew when its name was taken as the container's namespace went.
  const addresses = [options['hwaddr']?.toLowerCase(), hardwareAddress];
  const fallen = links.find(link => link.kind === '' && addresses.includes(link.hardwareAddress));
  const found = links.find(link => link.name === name) ?? fallen;
  if (!found) return;
  if (found.name !== name) kernel.changeLink(found.name, { up: false, newName: name });
  if (found.hardwareAddress !== hardwareAddress || found.mtu !== mtu) kernel.changeLink(name, { hardwareAddress, mtu });
}
