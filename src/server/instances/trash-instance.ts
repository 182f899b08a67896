import { faultPoint } from '#base/fault-point.ts';
import type { Transaction } from '#server/database/database.ts';
import { deleteInstanceRow, type InstanceRecord, patchInstanceConfig } from '#server/database/instances.ts';
import { listSnapshotRows } from '#server/database/snapshots.ts';
import { getVolume } from '#server/database/storage-volumes.ts';
import {
  deleteTrashRow,
  insertTrash,
  newTrashId,
  setTrashState,
  type TrashedInstance,
  trashMark,
} from '#server/database/trash.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId, trashVolumeName } from '../paths.ts';
import { deleteBackupFolder } from './backup-folder.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume, unlinkRoot } from './root-volume.ts';

/** Puts a stopped instance with its snapshots into the trash, and returns its id there; the caller holds its lock. */
export async function trashHeld(
  services: InstanceServices,
  record: InstanceRecord,
  keptUntil: string,
  context: ActionContext,
): Promise<string> {
  const uuid = newTrashId();
  const { project, name, pool } = record;
  await services.database.write(async tx => {
    await insertTrash(tx, {
      type: 'instance',
      content: await contentOf(tx, record),
      ...{ uuid, project, name, pool },
      deletedAt: new Date().toISOString(),
      expiresAt: keptUntil,
      deletedBy: context.requestor?.username ?? '',
    });
    await patchInstanceConfig(tx, record.id, { [trashMark]: uuid });
  });
  await faultPoint('trash.after-mark');
  await finishTrash(services, record, uuid);
  emitLifecycle(services.events, 'instance-deleted', instancePath(name), {
    project,
    context: { trash: uuid },
    ...(context.requestor && { requestor: context.requestor }),
  });
  return uuid;
}

/** The steps after the mark; each succeeds when it was done before. */
export async function finishTrash(services: InstanceServices, record: InstanceRecord, uuid: string): Promise<void> {
  const id = containerId(record.project, record.name);
  const pool = rootPool(services, record);
  try {
    if (await pool.hasVolume(rootVolume(record))) await pool.renameVolume(rootVolume(record), trashVolumeName(uuid));
  } catch (error) {
    await services.database.write(async tx => {
      await patchInstanceConfig(tx, record.id, { [trashMark]: undefined });
      await deleteTrashRow(tx, uuid);
    });
    throw error;
  }
  await faultPoint('trash.after-volume');
  await unlinkRoot(services, record);
  await deleteBackupFolder(services.paths, id);
  await services.runtime.forget(id);
  await services.database.write(async tx => {
    await setTrashState(tx, uuid, 'kept');
    await deleteInstanceRow(tx, record.id);
  });
  await faultPoint('trash.after-write');
}

async function contentOf(tx: Transaction, { id, ...instance }: InstanceRecord): Promise<TrashedInstance> {
  const { description, config } = await getVolume(tx, { ...instance, type: 'container' });
  const snapshots = (await listSnapshotRows(tx, id)).filter(({ ready }) => ready);
  return {
    instance,
    volume: { description, config },
    snapshots: snapshots.map(({ id: _id, instanceId: _instance, ...snapshot }) => snapshot),
  };
}
