import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { changedKeys } from '#base/config-schema.ts';
import type { Revert } from '#base/revert.ts';
import { type InstanceRecord, patchInstanceConfig } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import type { DiskThrottle, ResourceLimits } from '../runtime/runtime.ts';
import { diskThrottles } from './disk-limits.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import type { InstanceServices } from './instance-services.ts';
import { hostResources, isLimitKey, resourceLimits, withThrottles } from './limits.ts';
import { hostLinks } from './start-instance.ts';

/** What a running container's limits depend on beside its config. */
interface Surroundings {
  /** of the instance, with its volatile keys */
  readonly config: ConfigMap;
  /** containers that are pinned to each CPU */
  readonly pinned: ReadonlyMap<number, number>;
}

/** Has a running container take over limits of its config and of its disk devices that changed, with undo. */
export async function applyLimits(
  services: Pick<InstanceServices, 'database' | 'runtime' | 'paths'>,
  record: InstanceRecord,
  { was, now }: { readonly was: Expanded; readonly now: Expanded },
  { config, pinned }: Surroundings,
  revert: Revert,
): Promise<void> {
  const id = containerId(record.project, record.name);
  const root = path.join(services.paths.pool(record.pool), 'containers', id);
  const [before, after] = [diskThrottles(was.devices, root), diskThrottles(now.devices, root)];
  const sameDisks = JSON.stringify(before) === JSON.stringify(after);
  if (sameDisks && !changedKeys(was.config, now.config).some(isLimitKey)) return;
  const limits = (of: ConfigMap, inForce: readonly DiskThrottle[], old: readonly DiskThrottle[]): ResourceLimits => {
    const lifted = old.filter(({ device }) => !inForce.some(one => one.device === device));
    const throttles = [...inForce, ...lifted.map(({ device }) => ({ device }))];
    return withThrottles(resourceLimits(of, hostResources(), pinned, hostLinks(config)), throttles);
  };
  revert.add('changing limits', () => services.runtime.setLimits(id, limits(was.config, before, after)));
  const next = limits(now.config, after, before);
  await services.runtime.setLimits(id, next);
  const cpus = { 'volatile.limits.cpus': next.cpu?.cpus };
  await services.database.write(tx => patchInstanceConfig(tx, record.id, cpus));
}
