import { getVolumeSnapshot, listVolumeSnapshots } from '../database/volume-snapshots.ts';
import { restoreSafely, type SnapshotsOf } from '../safety-snapshots.ts';
import { createSnapshotHeld, deleteSnapshotHeld } from './snapshots.ts';
import {
  type ActionContext,
  assertNotRunning,
  type CustomAt,
  holdVolume,
  onDisk,
  readyVolume,
  tell,
  type VolumeServices,
} from './volume.ts';

/** Puts a snapshot's content in the volume's place. */
export async function restoreVolume(
  services: VolumeServices,
  at: CustomAt,
  snapshot: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdVolume(services, at, 'restore', context.signal);
  const id = await services.database.read(async reader => {
    const { id } = await readyVolume(reader, at);
    await getVolumeSnapshot(reader, id, snapshot);
    await assertNotRunning(services, reader, at, 'restore');
    return id;
  });
  const snapshots: SnapshotsOf = {
    list: () => services.database.read(reader => listVolumeSnapshots(reader, id)),
    create: request => createSnapshotHeld(services, at, request, context),
    delete: name => deleteSnapshotHeld(services, at, name, context),
  };
  await restoreSafely(snapshots, { keptUntil: context.keptUntil, log: services.log }, () =>
    services.pools.get(at.pool).restoreSnapshot({ volume: onDisk(at), name: snapshot }),
  );
  tell(services, 'storage-volume-restored', at, context, { context: { snapshot } });
}
