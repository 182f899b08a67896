import { zeroTime } from '#api/common.ts';
import { listVolumeRecords, type VolumeRecord } from '../database/storage-volumes.ts';
import { listVolumeSnapshots } from '../database/volume-snapshots.ts';
import { isSnapshotDue, namesToPrune, scheduledMark } from '../snapshot-schedule.ts';
import { createVolumeSnapshot, deleteVolumeSnapshot } from './snapshots.ts';
import type { VolumeServices } from './volume.ts';

/** Takes the snapshots of the given minutes, one of each volume at most; one that fails is logged. */
export async function takeScheduledSnapshots(services: VolumeServices, minutes: readonly Date[]): Promise<void> {
  if (minutes.length === 0) return;
  for (const volume of await customVolumes(services)) {
    if (!volume.ready || !isSnapshotDue(volume.config, minutes)) continue;
    await attempt(services, volume, 'Failed taking a scheduled snapshot', async () => {
      await createVolumeSnapshot(services, volume, { config: { [scheduledMark]: 'true' } });
      await pruneSnapshots(services, volume);
    });
  }
}

/** Deletes snapshots whose time has come; those that are held up are left for the next time. */
export async function deleteExpiredSnapshots(services: VolumeServices, now: Date = new Date()): Promise<void> {
  const snapshots = await services.database.read(reader => listVolumeSnapshots(reader));
  const expired = snapshots.filter(({ expiresAt }) => expiresAt !== zeroTime && Date.parse(expiresAt) <= now.getTime());
  if (expired.length === 0) return;
  const volumes = new Map((await customVolumes(services)).map(volume => [volume.id, volume]));
  for (const { volumeId, name } of expired) {
    const volume = volumes.get(volumeId);
    if (volume)
      await attempt(services, volume, 'Failed deleting an expired snapshot', () =>
        deleteVolumeSnapshot(services, volume, name),
      );
  }
}

async function pruneSnapshots(services: VolumeServices, volume: VolumeRecord): Promise<void> {
  const list = () => services.database.read(reader => listVolumeSnapshots(reader, volume.id));
  for (const name of await namesToPrune(volume.config, list)) await deleteVolumeSnapshot(services, volume, name);
}

async function customVolumes({ database }: VolumeServices): Promise<readonly VolumeRecord[]> {
  return (await database.read(reader => listVolumeRecords(reader))).filter(({ type }) => type === 'custom');
}

async function attempt(
  { log }: VolumeServices,
  { pool, name }: VolumeRecord,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error(what, { pool, volume: name, error });
  }
}
