import { rm } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { deleteVolumeRow, getVolume, updateVolume, type VolumeRecord } from '../database/storage-volumes.ts';
import { isUserOf, listVolumeUsers, type VolumeUser } from '../database/volume-users.ts';
import { finishTrash, markForTrash } from './trash-volume.ts';
import { type ActionContext, type CustomAt, holdVolume, onDisk, tell, type VolumeServices } from './volume.ts';

/**
 * Deletes a volume with its snapshots, unless an instance, a profile or the server's config names it; returns its id in
 * the trash, if it went there.
 */
export async function deleteVolume(
  services: VolumeServices,
  at: CustomAt,
  context: ActionContext = {},
): Promise<string | undefined> {
  using _lock = await holdVolume(services, at, 'delete', context.signal);
  const { record, trash } = await services.database.write(async tx => {
    // One that is not ready is what a deletion that failed has left: the lock is ours.
    const record = await getVolume(tx, { ...at, type: 'custom' });
    const users = (await listVolumeUsers(tx)).filter(user => isUserOf(user, at));
    if (users.length > 0) throw inUse(at.name, users);
    if (context.keptUntil !== undefined && record.ready)
      return { record, trash: await markForTrash(tx, record, context.keptUntil, context) };
    await updateVolume(tx, record.id, { ready: false });
    return { record, trash: undefined };
  });
  await faultPoint(trash === undefined ? 'volume-delete.after-mark' : 'volume-trash.after-mark');
  if (trash === undefined) await finishDelete(services, record);
  else await finishTrash(services, record, trash);
  tell(services, 'storage-volume-deleted', at, context, trash === undefined ? {} : { context: { trash } });
  return trash;
}

/** The steps after the mark; they may be done twice. */
export async function finishDelete(services: VolumeServices, record: VolumeRecord): Promise<void> {
  await services.pools.get(record.pool).deleteVolume(onDisk(record));
  await faultPoint('volume-delete.after-volume');
  await rm(services.paths.volumeBackups(record.pool, onDisk(record).name), { recursive: true, force: true });
  await services.database.write(tx => deleteVolumeRow(tx, record.id));
}

const userWords = { instances: 'instance', profiles: 'profile', server: 'server config' } as const;

function inUse(name: string, users: readonly Pick<VolumeUser, 'kind' | 'name'>[]): ApiError {
  const shown = users.slice(0, 3).map(({ kind, name }) => `${userWords[kind]} "${name}"`);
  const more = users.length > 3 ? ` and ${String(users.length - 3)} more` : '';
  return new ApiError(
    'failed-precondition',
    `The storage volume is still in use: "${name}" is attached to ${shown.join(', ')}${more}; detach it first`,
  );
}
