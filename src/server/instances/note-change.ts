import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap } from '#api/common.ts';
import type { Transaction } from '#server/database/database.ts';
import { type ChangeAction, insertChange, type InstanceVersion } from '#server/database/instance-changes.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import type { ActionContext } from './instance-services.ts';

/** What users wrote of an instance, in plain objects: those that a row was read into have no prototype. */
export function versionOf({ description, ephemeral, profiles, config, devices }: InstanceVersion): InstanceVersion {
  const written = (map: ConfigMap): ConfigMap =>
    Object.fromEntries(Object.entries(map).filter(([key, value]) => !key.startsWith('volatile.') && value !== ''));
  const plain = Object.entries(devices).map(([name, options]) => [name, written(options)] as const);
  return { description, ephemeral, profiles, config: written(config), devices: Object.fromEntries(plain) };
}

/** True when a write changes something that users wrote. */
export function isChange(before: InstanceRecord, after: Partial<InstanceRecord>): boolean {
  return !isDeepStrictEqual(versionOf(before), versionOf({ ...before, ...after }));
}

/** Keeps what the instance was before a change, and who makes it, in the transaction of the change; returns its id. */
export async function noteChange(
  tx: Transaction,
  before: InstanceRecord,
  action: ChangeAction,
  { requestor }: ActionContext,
  snapshot = '',
): Promise<number> {
  return await insertChange(tx, before.id, {
    action,
    changedAt: new Date().toISOString(),
    changedBy: requestor?.username ?? '',
    snapshot,
    before: versionOf(before),
  });
}
