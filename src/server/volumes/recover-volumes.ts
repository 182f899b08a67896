import { listVolumeRecords, type VolumeRecord } from '../database/storage-volumes.ts';
import { listVolumeSnapshots, type VolumeSnapshotRecord } from '../database/volume-snapshots.ts';
import { trashMark, untrashMark } from '../database/trash.ts';
import { finishDelete } from './delete-volume.ts';
import { finishRename, renameMark } from './move-volume.ts';
import { finishRefresh, refreshMark } from './refresh-volume.ts';
import { finishSnapshotDelete, finishSnapshotRename } from './snapshots.ts';
import { finishTrash } from './trash-volume.ts';
import { finishUntrash } from './untrash-volume.ts';
import { holdVolume, type VolumeServices } from './volume.ts';

/**
 * Puts right what a daemon that ended in the middle left of custom volumes: half-made and half-deleted ones go, begun
 * renames are finished. Called when the pools are mounted; a volume whose pool is not is left for the next start.
 */
export async function recoverVolumes(services: VolumeServices): Promise<void> {
  const { volumes, snapshots } = await services.database.read(async reader => ({
    volumes: (await listVolumeRecords(reader)).filter(({ type }) => type === 'custom'),
    snapshots: await listVolumeSnapshots(reader),
  }));
  for (const volume of volumes) {
    try {
      await recoverVolume(
        services,
        volume,
        snapshots.filter(({ volumeId }) => volumeId === volume.id),
      );
    } catch (error) {
      services.log.error('Failed recovering a storage volume', { pool: volume.pool, volume: volume.name, error });
    }
  }
}

async function recoverVolume(
  services: VolumeServices,
  volume: VolumeRecord,
  snapshots: readonly VolumeSnapshotRecord[],
): Promise<void> {
  using _lock = await holdVolume(services, volume, 'recover');
  if (!volume.ready) return await finishDelete(services, volume);
  const trashed = volume.config[trashMark];
  if (trashed !== undefined) return await finishTrash(services, volume, trashed);
  const untrashed = volume.config[untrashMark];
  if (untrashed !== undefined) await finishUntrash(services, volume, untrashed);
  if (volume.config[refreshMark] !== undefined) await finishRefresh(services, volume);
  for (const snapshot of snapshots) {
    const to = snapshot.config[renameMark];
    if (!snapshot.ready) await finishSnapshotDelete(services, volume, snapshot);
    else if (to !== undefined) await finishSnapshotRename(services, volume, snapshot, to);
  }
  const newName = volume.config[renameMark];
  if (newName !== undefined) await finishRename(services, volume, newName);
}
