import type { TrashItem } from '#api/trash.ts';
import type { HeldLock } from '#base/keyed-lock.ts';
import type { Volume } from '#storage/driver.ts';
import { ApiError, notFound } from '#api/error.ts';
import { getTrash, listTrashRows, type TrashRecord } from '../database/trash.ts';
import { trashVolumeName } from '../paths.ts';
import type { Services } from '../services.ts';

/** What the caller may see: of instances by their project, of volumes by the one that holds them. */
export type MaySee = (item: Pick<TrashRecord, 'type' | 'project'>) => boolean;

/** What is in the trash, oldest first; what is on its way there or back is not. */
export async function listTrash(
  { database, pools }: Pick<Services, 'database' | 'pools'>,
  maySee: MaySee,
): Promise<readonly TrashItem[]> {
  const rows = (await database.read(listTrashRows)).filter(row => row.state === 'kept' && maySee(row));
  return await Promise.all(rows.map(row => itemOf(pools, row)));
}

/** One of them. Throws "not-found". */
export async function findTrash(
  { database }: Pick<Services, 'database'>,
  uuid: string,
  maySee: MaySee,
): Promise<TrashRecord> {
  const record = await database.read(reader => getTrash(reader, uuid));
  if (!maySee(record)) throw notFound('Trash', uuid);
  return record;
}

export async function itemOf(pools: Services['pools'], record: TrashRecord): Promise<TrashItem> {
  const { uuid, type, name, project, pool, deletedAt, deletedBy, expiresAt, content } = record;
  const size = await sizeOf(pools, record);
  return {
    ...{ id: uuid, type, name, project, pool },
    snapshots: content.snapshots.map(snapshot => snapshot.name),
    deleted_at: deletedAt,
    deleted_by: deletedBy,
    expires_at: expiresAt,
    ...(size !== undefined && { size }),
  };
}

/** The volume that waits in the pool. */
export function volumeOf({ type, uuid }: Pick<TrashRecord, 'type' | 'uuid'>): Volume {
  return { kind: type === 'instance' ? 'container' : 'custom', name: trashVolumeName(uuid) };
}

/** Takes something in the trash for an action. Throws "busy" when something else is done with it. */
export function holdTrash({ locks }: Pick<Services, 'locks'>, uuid: string, action: string): HeldLock {
  const held = locks.tryHold(`trash/${uuid}`, action);
  if (held) return held;
  throw new ApiError('busy', `Cannot ${action} "${uuid}" in the trash now: something else is done with it; try again`);
}

async function sizeOf(pools: Services['pools'], record: TrashRecord): Promise<number | undefined> {
  const pool = pools.list().find(({ name }) => name === record.pool);
  // one that is on its way, or whose pool fails, is listed all the same
  return (await pool?.volumeUsage(volumeOf(record)).catch(() => undefined))?.used;
}
