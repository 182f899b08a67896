import type { ConfigMap, DeviceMap } from '#api/common.ts';
import { vlanLink } from '#network/vlan-link.ts';
import type { DeviceContext, DeviceType, RuntimePart } from './device.ts';
import { guestName, linkOf } from './nic-common.ts';
import { physicalKeys } from './nic-keys.ts';
import { ensureParent, linkVolatile, parentProblem, parentVolatile, releaseParent, restoreLink } from './nic-parent.ts';

/** A link of the host that is in the container while it runs, and comes back as it was. */
export const nicPhysical: DeviceType = {
  type: 'nic',
  keys: physicalKeys,
  problem: parentProblem,
  perRun(options: DeviceMap, kept: ConfigMap, taken: ReadonlySet<string>): ConfigMap {
    const link = vlanLink(options['parent'] ?? '', options['vlan']);
    return { host_name: link, ...guestName(options, kept, taken), ...parentVolatile(options), ...linkVolatile(link) };
  },
  link: plugOf,
  async start(context: DeviceContext): Promise<RuntimePart> {
    await ensureParent(context);
    return { nics: [plugOf(context)], mounts: [] };
  },
  stop(context: DeviceContext): Promise<void> {
    restoreLink(context);
    releaseParent(context);
    return Promise.resolve();
  },
};

/** Its address is the one that it brings along, unless another is asked for. */
function plugOf(context: DeviceContext) {
  const { options, volatile } = context;
  const hwaddr = options['hwaddr'] || volatile['last_state.hwaddr'];
  return linkOf({ ...context, volatile: { ...volatile, ...(hwaddr && { hwaddr }) } }, 'physical');
}
