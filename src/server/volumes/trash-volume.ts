import { rm } from 'node:fs/promises';
import { faultPoint } from '#base/fault-point.ts';
import type { Transaction } from '../database/database.ts';
import { deleteVolumeRow, patchVolumeConfig, type VolumeRecord } from '../database/storage-volumes.ts';
import {
  deleteTrashRow,
  insertTrash,
  newTrashId,
  setTrashState,
  type TrashedVolume,
  trashMark,
} from '../database/trash.ts';
import { listVolumeSnapshots } from '../database/volume-snapshots.ts';
import { trashVolumeName } from '../paths.ts';
import { type ActionContext, onDisk, type VolumeServices } from './volume.ts';

/** Makes the row of a volume's trash and marks the volume, in the transaction that found it unused. */
export async function markForTrash(
  tx: Transaction,
  record: VolumeRecord,
  keptUntil: string,
  { requestor }: ActionContext,
): Promise<string> {
  const uuid = newTrashId();
  const { project, name, pool } = record;
  await insertTrash(tx, {
    type: 'volume',
    content: await contentOf(tx, record),
    ...{ uuid, project, name, pool },
    deletedAt: new Date().toISOString(),
    expiresAt: keptUntil,
    deletedBy: requestor?.username ?? '',
  });
  await patchVolumeConfig(tx, record.id, { [trashMark]: uuid });
  return uuid;
}

/** The steps after the mark; each succeeds when it was done before. */
export async function finishTrash(services: VolumeServices, record: VolumeRecord, uuid: string): Promise<void> {
  const pool = services.pools.get(record.pool);
  try {
    if (await pool.hasVolume(onDisk(record))) await pool.renameVolume(onDisk(record), trashVolumeName(uuid));
  } catch (error) {
    await services.database.write(async tx => {
      await patchVolumeConfig(tx, record.id, { [trashMark]: undefined });
      await deleteTrashRow(tx, uuid);
    });
    throw error;
  }
  await faultPoint('volume-trash.after-volume');
  await rm(services.paths.volumeBackups(record.pool, onDisk(record).name), { recursive: true, force: true });
  await services.database.write(async tx => {
    await setTrashState(tx, uuid, 'kept');
    await deleteVolumeRow(tx, record.id);
  });
}

async function contentOf(tx: Transaction, { id, ...volume }: VolumeRecord): Promise<TrashedVolume> {
  const snapshots = (await listVolumeSnapshots(tx, id)).filter(({ ready }) => ready);
  return { volume, snapshots: snapshots.map(({ id: _id, volumeId: _volume, ...snapshot }) => snapshot) };
}
