import type { DeviceMap } from '#api/common.ts';
import { kernel } from '#native/kernel.ts';
import { ensureNicLimits, type NicLimits, parseBitRate, removeShaper } from '#network/nic-limits.ts';
import { addRoutes, removeRoutes, subnetsOf } from '#network/nic-routes.ts';
import type { DeviceContext } from './device.ts';
import { hostNameOf } from './nic-common.ts';

/** Limits of the host's end as the options say; nothing is done when they are the ones of `before`. */
export async function applyLimits(context: DeviceContext, before: DeviceMap = {}): Promise<void> {
  const wanted = limitsOf(context.options);
  if (JSON.stringify(wanted) !== JSON.stringify(limitsOf(before))) await ensureNicLimits(hostNameOf(context), wanted);
}

/** Removes the host's end and what its limits need: a socket of the guest's may outlive the guest, and hold the link. */
export function removeHostEnd(context: DeviceContext): void {
  const link = hostNameOf(context);
  if (!link) return;
  kernel.deleteLink(link);
  removeShaper(link);
}

function limitsOf(options: DeviceMap): NicLimits {
  const ingress = parseBitRate((options['limits.max'] || options['limits.ingress']) ?? '');
  const egress = parseBitRate((options['limits.max'] || options['limits.egress']) ?? '');
  return { ...(ingress !== undefined && { ingress }), ...(egress !== undefined && { egress }) };
}

/** Has the subnets of the options routed to a link of the host, and no more those of `before`. */
export async function applyRoutes(options: DeviceMap, link: string, before: DeviceMap = {}): Promise<void> {
  const wanted = routesOf(options);
  const present = routesOf(before);
  await removeRoutes(
    link,
    present.filter(subnet => !wanted.includes(subnet)),
  );
  await addRoutes(
    link,
    wanted.filter(subnet => !present.includes(subnet)),
  );
}

export async function dropRoutes(options: DeviceMap, link: string): Promise<void> {
  await removeRoutes(link, routesOf(options));
}

function routesOf(options: DeviceMap): readonly string[] {
  return (['ipv4.routes', 'ipv6.routes'] as const).flatMap(key => subnetsOf(options[key]));
}
