import { zeroTime } from '#api/common.ts';
import { parseRetention, superfluous } from '#base/retention.ts';
import { isScheduledAt, parseSchedule } from '#base/schedule.ts';
import { listVolumeRecords, type VolumeRecord } from '../database/storage-volumes.ts';
import { listVolumeSnapshots } from '../database/volume-snapshots.ts';
import { createVolumeSnapshot, deleteVolumeSnapshot } from './snapshots.ts';
import type { VolumeServices } from './volume.ts';

/** Kept with snapshots that were taken by schedule: only these are pruned by retention. */
const scheduledMark = 'volatile.snapshot.scheduled';

/** Takes the snapshots of the given minutes, one of each volume at most; one that fails is logged. */
export async function takeScheduledSnapshots(services: VolumeServices, minutes: readonly Date[]): Promise<void> {
  if (minutes.length === 0) return;
  for (const volume of await customVolumes(services)) {
    const schedule = parseSchedule(volume.config['snapshots.schedule'] ?? '');
    if (!volume.ready || !schedule || !minutes.some(minute => isScheduledAt(schedule, minute))) continue;
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
  const retention = parseRetention(volume.config['snapshots.retention'] ?? '');
  if (!retention) return;
  const rows = await services.database.read(reader => listVolumeSnapshots(reader, volume.id));
  const scheduled = rows.filter(({ ready, config }) => ready && config[scheduledMark] === 'true');
  for (const { name } of superfluous(retention, scheduled)) await deleteVolumeSnapshot(services, volume, name);
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
