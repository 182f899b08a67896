import { rename } from 'node:fs/promises';
import { alreadyExists } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import {
  deleteVolumeRow,
  findVolume,
  insertVolume,
  patchVolumeConfig,
  updateVolume,
  type VolumeRecord,
} from '../database/storage-volumes.ts';
import { insertVolumeSnapshot, listVolumeSnapshots } from '../database/volume-snapshots.ts';
import { renameVolumeInDevices } from '../database/volume-users.ts';
import { getPool } from '../database/storage-pools.ts';
import { checkProject } from '../projects/check-project.ts';
import {
  type ActionContext,
  assertNotRunning,
  assertNotServers,
  checkVolumeName,
  type CustomAt,
  holdVolumes,
  onDisk,
  readyVolume,
  tell,
  type VolumeServices,
} from './volume.ts';
import { finishDelete } from './delete-volume.ts';
import { configureVolume, portableConfig } from './volume-config.ts';

/** Kept while a rename is under way, so that a daemon that dies in it finishes it at its next start. */
export const renameMark = 'volatile.rename.to';

/** Renames a volume within its pool; devices of instances and profiles follow. */
export async function renameVolume(
  services: VolumeServices,
  at: CustomAt,
  newName: string,
  context: ActionContext = {},
): Promise<void> {
  checkVolumeName(newName);
  const target = { ...at, name: newName };
  using _locks = await holdVolumes(services, [at, target], 'rename', context.signal);
  const record = await services.database.write(async tx => {
    const record = await readyVolume(tx, at);
    await assertNotServers(tx, at, 'cannot be renamed');
    await assertNotRunning(services, tx, at, 'rename');
    if (newName === at.name || (await findVolume(tx, { ...target, type: 'custom' })))
      throw alreadyExists('Storage volume', newName);
    await patchVolumeConfig(tx, record.id, { [renameMark]: newName });
    return record;
  });
  await faultPoint('volume-rename.after-mark');
  await finishRename(services, record, newName);
  tell(services, 'storage-volume-renamed', target, context, { context: { old_name: at.name } });
}

/** The steps after the mark; they may be done twice. */
export async function finishRename(services: VolumeServices, record: VolumeRecord, newName: string): Promise<void> {
  const target = { ...record, name: newName };
  try {
    const pool = services.pools.get(record.pool);
    if (await pool.hasVolume(onDisk(record))) await pool.renameVolume(onDisk(record), onDisk(target).name);
  } catch (error) {
    await services.database.write(tx => patchVolumeConfig(tx, record.id, { [renameMark]: undefined }));
    throw error;
  }
  await renameBackups(services, record, target);
  await faultPoint('volume-rename.after-volume');
  await services.database.write(async tx => {
    await updateVolume(tx, record.id, { name: newName });
    await patchVolumeConfig(tx, record.id, { [renameMark]: undefined });
    await renameVolumeInDevices(tx, record, target);
  });
}

async function renameBackups({ paths }: VolumeServices, from: CustomAt, to: CustomAt): Promise<void> {
  try {
    await rename(paths.volumeBackups(from.pool, onDisk(from).name), paths.volumeBackups(to.pool, onDisk(to).name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * Moves a volume with its snapshots to another pool or project. The source stays until the target is whole; then one
 * transaction makes the target the volume and the source something to delete.
 */
export async function moveVolume(
  services: VolumeServices,
  at: CustomAt,
  target: CustomAt,
  context: ActionContext = {},
): Promise<void> {
  checkVolumeName(target.name);
  using _locks = await holdVolumes(services, [at, target], 'move', context.signal);
  await using revert = new Revert(services.log);
  const { record, config, snapshots, id } = await services.database.write(async tx => {
    const record = await readyVolume(tx, at);
    await assertNotServers(tx, at, 'cannot be moved');
    await assertNotRunning(services, tx, at, 'move');
    const config = portableConfig(record.config, (await getPool(tx, target.pool)).driver);
    const snapshots = (await listVolumeSnapshots(tx, record.id)).filter(({ ready }) => ready);
    const { id } = await insertVolume(tx, { ...record, ...target, config, ready: false });
    // inside one project the volume is there twice only until the source is gone
    if (at.project !== target.project) await checkProject(tx, target.project);
    return { record, config, snapshots, id };
  });
  revert.add('inserting the row', () => services.database.write(tx => deleteVolumeRow(tx, id)));
  const pool = services.pools.get(target.pool);
  revert.add('copying the volume', () => pool.deleteVolume(onDisk(target)));
  await pool.copyVolume({ pool: services.pools.get(at.pool), content: onDisk(at) }, onDisk(target), {
    snapshots: snapshots.map(({ name }) => name),
    ...(context.signal && { signal: context.signal }),
  });
  await configureVolume(services, target, config);
  await faultPoint('volume-move.after-volume');
  await services.database.write(async tx => {
    await assertNotRunning(services, tx, at, 'move');
    for (const snapshot of snapshots) await insertVolumeSnapshot(tx, { ...snapshot, volumeId: id });
    if (at.project === target.project) await renameVolumeInDevices(tx, at, target);
    await updateVolume(tx, id, { ready: true });
    await updateVolume(tx, record.id, { ready: false });
  });
  revert.commit();
  await faultPoint('volume-move.after-write');
  await finishDelete(services, record);
  tell(services, 'storage-volume-renamed', target, context, { context: { old_name: at.name } });
}
