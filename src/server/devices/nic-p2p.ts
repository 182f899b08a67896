import type { DeviceMap } from '#api/common.ts';
import type { DeviceContext, DeviceType } from './device.ts';
import { hostNameOf, keepHardwareAddress, linkNames, linkOf } from './nic-common.ts';
import { p2pKeys } from './nic-keys.ts';
import { applyLimits, applyRoutes, removeHostEnd } from './nic-traffic.ts';

/** A veth pair whose end on the host joins nothing. */
export const nicP2p: DeviceType = {
  type: 'nic',
  keys: p2pKeys,
  problem: () => undefined,
  keep: keepHardwareAddress,
  perRun: (options, kept, taken) => linkNames(options, kept, taken, 'veth'),
  link: context => linkOf(context, 'veth'),
  start: context => Promise.resolve({ nics: [linkOf(context, 'veth')], mounts: [] }),
  async started(context: DeviceContext): Promise<void> {
    await applyLimits(context);
    await applyRoutes(context.options, hostNameOf(context));
  },
  async update(context: DeviceContext, before: DeviceMap): Promise<void> {
    await applyLimits(context, before);
    await applyRoutes(context.options, hostNameOf(context), before);
  },
  stop: context => Promise.resolve(removeHostEnd(context)), // routes go with it
};
