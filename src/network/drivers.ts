import { bridgeType } from './bridge/type.ts';
import type { NetworkType } from './driver.ts';
import type { NetworkKernel } from './kernel-calls.ts';

/** Network types by name; the only list of drivers. */
export function networkTypes(kernel: NetworkKernel): ReadonlyMap<string, NetworkType> {
  return new Map([bridgeType(kernel)].map(type => [type.name, type]));
}
