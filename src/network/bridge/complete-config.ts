import { randomBytes } from 'node:crypto';
import type { ConfigMap } from '#api/common.ts';
import type { CompleteOptions } from '../driver.ts';
import { type Cidr, parseCidr } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';
import { chooseSubnet, usedSubnets } from './free-subnet.ts';
import { ipv6Available } from './sysctl.ts';

/** The config that is stored: a new network has addresses unless told otherwise, and "auto" becomes a free subnet. */
export async function completeConfig(
  kernel: NetworkKernel,
  config: ConfigMap,
  { creating, taken }: CompleteOptions,
): Promise<ConfigMap> {
  const complete: Record<string, string> = { ...config };
  if (creating) {
    complete['ipv4.address'] ||= 'auto';
    complete['ipv6.address'] ||= (await ipv6Available()) ? 'auto' : 'none';
  }
  let used: readonly Cidr[] | undefined;
  for (const family of [4, 6] as const) {
    const key = `ipv${String(family)}.address`;
    if (complete[key] !== 'auto') continue;
    used ??= [...(await usedSubnets(kernel)), ...taken.flatMap(text => parseCidr(text) ?? [])];
    complete[key] = chooseSubnet(family, used);
    complete[`ipv${String(family)}.nat`] ||= 'true';
  }
  if (!complete['bridge.hwaddr']) complete['volatile.bridge.hwaddr'] ||= randomHardwareAddress();
  return complete;
}

/** In the range that container tools share (00:16:3e). */
function randomHardwareAddress(): string {
  const tail = [...randomBytes(3)].map(byte => byte.toString(16).padStart(2, '0'));
  return ['00', '16', '3e', ...tail].join(':');
}
