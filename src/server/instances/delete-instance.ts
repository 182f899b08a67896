import { ApiError } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { faultPoint } from '#base/fault-point.ts';
import { deleteInstanceRow, getInstance, type InstanceRecord, updateInstance } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import { deleteBackupFolder } from './backup-folder.ts';
import { expandInstance } from './check-instance.ts';
import { instanceKeys } from './config-keys.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume, unlinkRoot } from './root-volume.ts';
import { assertAllowed, holdInstance } from './status.ts';
import { trashHeld } from './trash-instance.ts';

/** Deletes a stopped instance with its snapshots; returns its id in the trash, if it went there. */
export async function deleteInstance(
  services: InstanceServices,
  project: string,
  name: string,
  context: ActionContext = {},
): Promise<string | undefined> {
  using _lock = await holdInstance(services.locks, project, name, 'delete', context.signal);
  const record = await services.database.read(async reader => {
    const record = await getInstance(reader, project, name);
    const { config } = await expandInstance(reader, record);
    assertDeletable(services, record, effectiveBoolean(instanceKeys, config, 'security.protection.delete'));
    return record;
  });
  if (context.keptUntil !== undefined && isWorthKeeping(record))
    return await trashHeld(services, record, context.keptUntil, context);
  await deleteHeld(services, record, context);
  return undefined;
}

/** False for what never got whole, and what was not made to last. */
export function isWorthKeeping({ ready, ephemeral }: Pick<InstanceRecord, 'ready' | 'ephemeral'>): boolean {
  return ready && !ephemeral;
}

/** Throws "failed-precondition" when the instance runs or is protected. */
export function assertDeletable(
  services: Pick<InstanceServices, 'runtime'>,
  record: InstanceRecord,
  isProtected: boolean,
): void {
  const kernel = services.runtime.status(containerId(record.project, record.name));
  assertAllowed(record.name, record.ready, kernel, 'delete');
  if (!isProtected || !record.ready) return;
  const message = `Cannot delete instance "${record.name}": it is protected; unset "security.protection.delete" first`;
  throw new ApiError('failed-precondition', message);
}

/** Deletes what is left of a stopped instance, whole or half; the caller holds its lock. */
export async function deleteHeld(
  services: InstanceServices,
  record: InstanceRecord,
  context: ActionContext = {},
): Promise<void> {
  // Throws when the pool is not there: a row without its volume would leave the volume without an owner.
  const pool = rootPool(services, record);
  await services.database.write(tx => updateInstance(tx, record, { ready: false }));
  await faultPoint('delete.after-mark');
  await pool.deleteVolume(rootVolume(record));
  await faultPoint('delete.after-volume');
  await unlinkRoot(services, record);
  await deleteBackupFolder(services.paths, containerId(record.project, record.name));
  await services.runtime.forget(containerId(record.project, record.name));
  await faultPoint('delete.after-link');
  await services.database.write(tx => deleteInstanceRow(tx, record.id));
  emitLifecycle(services.events, 'instance-deleted', instancePath(record.name), {
    project: record.project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}
