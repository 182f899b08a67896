import { existsSync } from 'node:fs';
import { ApiError } from '#api/error.ts';
import { CommandError } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';
import { ip } from './nic-routes.ts';

/** Name of the link that carries a VLAN of another one; the other one without a VLAN. */
export function vlanLink(parent: string, vlan: string | undefined): string {
  return vlan && vlan !== '0' ? `${parent}.${vlan}` : parent;
}

export function linkExists(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`);
}

/** Has the link of a VLAN there and up. */
export async function ensureVlanLink(parent: string, vlan: string | undefined, gvrp: boolean): Promise<void> {
  const name = vlanLink(parent, vlan);
  if (name === parent || linkExists(name)) return;
  try {
    await ip([`link add link ${parent} name ${name} up type vlan id ${vlan ?? ''} gvrp ${gvrp ? 'on' : 'off'}`]);
  } catch (error) {
    if (!(error instanceof CommandError) || !error.stderr.includes('Unknown device type')) throw error;
    throw new ApiError('unsupported', `VLAN ${vlan ?? ''} of "${parent}": this kernel has no VLANs (8021q)`);
  }
}

export function removeVlanLink(parent: string, vlan: string | undefined): void {
  const name = vlanLink(parent, vlan);
  if (name !== parent) kernel.deleteLink(name);
}
