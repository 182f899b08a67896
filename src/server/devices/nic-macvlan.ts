import type { DeviceContext, DeviceType, RuntimePart } from './device.ts';
import { keepHardwareAddress, linkNames, linkOf } from './nic-common.ts';
import { macvlanKeys } from './nic-keys.ts';
import { ensureParent, parentProblem, parentVolatile, releaseParent } from './nic-parent.ts';

/** A link of its own address on top of one of the host, which it cannot reach. */
export const nicMacvlan: DeviceType = {
  type: 'nic',
  keys: macvlanKeys,
  problem: parentProblem,
  keep: keepHardwareAddress,
  perRun: (options, kept, taken) => ({
    ...linkNames({ ...options, host_name: '' }, kept, taken, 'mac'),
    ...parentVolatile(options),
  }),
  link: context => linkOf(context, 'macvlan'),
  async start(context: DeviceContext): Promise<RuntimePart> {
    const parent = await ensureParent(context);
    return { nics: [{ ...linkOf(context, 'macvlan'), parent }], mounts: [] };
  },
  stop: context => Promise.resolve(releaseParent(context)),
};
