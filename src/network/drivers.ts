import { bridgeType } from './bridge/type.ts';
import type { NetworkType } from './driver.ts';
import type { NetworkKernel } from './kernel-calls.ts';
import { parentTypes } from './parent/type.ts';

/** Network types by name; the only list of drivers. */
export function networkTypes(kernel: NetworkKernel): ReadonlyMap<string, NetworkType> {
  return new Map([bridgeType(kernel), ...parentTypes(kernel)].map(type => [type.name, type]));
}

/** Why LXD's other types of networks are not here. */
export const refusedTypes: Readonly<Record<string, string>> = {
  ovn: 'needs Open Virtual Network, which this server does not drive; "bridge" with tunnels joins hosts too',
  sriov: 'needs a network card with virtual functions, which this server does not drive; use "macvlan" or "physical"',
};
