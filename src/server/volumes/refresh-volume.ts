import { faultPoint } from '#base/fault-point.ts';
import { getVolume, patchVolumeConfig, type VolumeRecord } from '../database/storage-volumes.ts';
import {
  deleteVolumeSnapshotRow,
  insertVolumeSnapshot,
  listVolumeSnapshots,
  updateVolumeSnapshot,
  type VolumeSnapshotRecord,
} from '../database/volume-snapshots.ts';
import { customVolumeName } from '../paths.ts';
import type { CopySource } from './create-volume.ts';
import {
  type ActionContext,
  assertNotRunning,
  type CustomAt,
  holdVolumes,
  onDisk,
  readyVolume,
  tell,
  type VolumeServices,
} from './volume.ts';

/** Kept while a refresh is under way: POOL/VOLUME that it reads. */
export const refreshMark = 'volatile.refresh.from';

/**
 * Brings a copy in line with its source: snapshots that the source has not are deleted, those that the copy lacks are
 * copied, and its content is replaced when the new one is whole. What is in use is not refreshed.
 */
export async function refreshVolume(
  services: VolumeServices,
  target: CustomAt,
  source: CopySource,
  context: ActionContext = {},
): Promise<void> {
  using _locks = await holdVolumes(services, [source, target], 'refresh', context.signal);
  const { record, gone, added } = await services.database.write(async tx => {
    const record = await readyVolume(tx, target);
    await assertNotRunning(services, tx, target, 'refresh');
    const origin = await readyVolume(tx, source);
    const wanted = source.withSnapshots ? await listVolumeSnapshots(tx, origin.id) : [];
    const present = source.withSnapshots ? await listVolumeSnapshots(tx, record.id) : [];
    const { gone, missing } = difference(present, wanted);
    for (const snapshot of gone) await updateVolumeSnapshot(tx, snapshot.id, { ready: false });
    // Those that go may bear the names of those that come.
    for (const snapshot of gone)
      if (missing.some(({ name }) => name === snapshot.name)) await deleteVolumeSnapshotRow(tx, snapshot.id);
    const added: { readonly id: number; readonly name: string }[] = [];
    for (const snapshot of missing) {
      const id = await insertVolumeSnapshot(tx, { ...snapshot, volumeId: record.id, ready: false });
      added.push({ id, name: snapshot.name });
    }
    const from = `${source.pool}/${customVolumeName(source.project, source.name)}`;
    await patchVolumeConfig(tx, record.id, { [refreshMark]: from });
    return { record, gone, added };
  });
  await faultPoint('volume-refresh.after-mark');
  try {
    const volume = onDisk(source);
    const content = source.snapshot === undefined ? volume : { volume, name: source.snapshot };
    await services.pools
      .get(target.pool)
      .refreshVolume({ pool: services.pools.get(source.pool), content }, onDisk(target), {
        gone: gone.map(({ name }) => name),
        missing: added.map(({ name }) => name),
        ...(context.signal && { signal: context.signal }),
      });
    await faultPoint('volume-refresh.after-volume');
    await services.database.write(async tx => {
      for (const { id } of added) await updateVolumeSnapshot(tx, id, { ready: true });
    });
  } finally {
    await finishRefresh(
      services,
      await services.database.read(reader => getVolume(reader, { ...target, type: 'custom' })),
    );
  }
  tell(services, 'storage-volume-updated', record, context);
}

/** Removes what a refresh, done or interrupted, has left; may be done twice. */
export async function finishRefresh(services: VolumeServices, record: VolumeRecord): Promise<void> {
  const [pool = '', volume = ''] = (record.config[refreshMark] ?? '').split('/');
  if (volume !== '') await services.pools.get(pool).cleanRefresh({ kind: 'custom', name: volume });
  const own = services.pools.get(record.pool);
  await own.cleanRefresh(onDisk(record));
  const snapshots = await services.database.read(reader => listVolumeSnapshots(reader, record.id));
  for (const snapshot of snapshots) {
    if (snapshot.ready) continue;
    await own.deleteSnapshot({ volume: onDisk(record), name: snapshot.name });
    await services.database.write(tx => deleteVolumeSnapshotRow(tx, snapshot.id));
  }
  await services.database.write(tx => patchVolumeConfig(tx, record.id, { [refreshMark]: undefined }));
}

/** Snapshots are the same when name and time of creation are. */
export function difference<T extends Pick<VolumeSnapshotRecord, 'name' | 'createdAt' | 'ready'>>(
  present: readonly T[],
  wanted: readonly T[],
): { readonly gone: readonly T[]; readonly missing: readonly T[] } {
  const same = (a: T, b: T): boolean => a.name === b.name && a.createdAt === b.createdAt;
  return {
    gone: present.filter(snapshot => !snapshot.ready || !wanted.some(other => same(snapshot, other))),
    missing: wanted.filter(other => other.ready && !present.some(snapshot => snapshot.ready && same(snapshot, other))),
  };
}
