import { ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import { faultPoint } from '#base/fault-point.ts';
import type { PoolUsage } from '#storage/driver.ts';
import { deleteTrashRow, getTrash, listTrashRows, setTrashState, type TrashRecord } from '../database/trash.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { isExpired } from '../instances/snapshot-expiry.ts';
import type { Services } from '../services.ts';
import { holdTrash, volumeOf } from './trash-items.ts';

export type TrashServices = Pick<Services, 'database' | 'pools' | 'locks' | 'events' | 'log'>;

/** Deletes something in the trash for good. */
export async function deleteTrash(services: TrashServices, uuid: string, requestor?: Requestor): Promise<void> {
  using _lock = holdTrash(services, uuid, 'delete');
  const record = await services.database.write(async tx => {
    const record = await getTrash(tx, uuid);
    if (record.state === 'arriving' || record.state === 'returning')
      throw new ApiError('busy', `Cannot delete "${uuid}" from the trash now: it is ${record.state}; try again`);
    await setTrashState(tx, uuid, 'leaving');
    return record;
  });
  await faultPoint('empty.after-mark');
  await finishDelete(services, record);
  emitLifecycle(services.events, 'trash-deleted', `/1.0/trash/${uuid}`, {
    project: record.project,
    context: { type: record.type, name: record.name },
    ...(requestor && { requestor }),
  });
}

/** The steps after the mark; they may be done twice. */
export async function finishDelete(services: TrashServices, record: TrashRecord): Promise<void> {
  await services.pools.get(record.pool).deleteVolume(volumeOf(record));
  await faultPoint('empty.after-volume');
  await services.database.write(tx => deleteTrashRow(tx, record.uuid));
}

/** Deletes several; one that cannot be is logged and does not hold up the others. */
export async function deleteAll(
  services: TrashServices,
  ids: readonly string[],
  requestor?: Requestor,
): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const uuid of ids) {
    try {
      await deleteTrash(services, uuid, requestor);
    } catch (error) {
      failed.push(uuid);
      services.log.warning('Failed deleting something in the trash', { trash: uuid, error });
    }
  }
  return failed;
}

/** Empties the trash of what has expired, and of the oldest where a pool runs short of space. */
export async function tendTrash(services: TrashServices, now: Date = new Date()): Promise<void> {
  const rows = await services.database.read(listTrashRows);
  // one that is leaving is what a deletion that failed has left
  const due = rows.filter(
    ({ state, expiresAt }) => state === 'leaving' || (state === 'kept' && isExpired(expiresAt, now)),
  );
  await deleteAll(
    services,
    due.map(({ uuid }) => uuid),
  );
  const left = rows.filter(row => row.state === 'kept' && !due.includes(row));
  for (const pool of services.pools.list()) {
    for (const { uuid, type, name } of left.filter(record => record.pool === pool.name)) {
      // a deletion may go on after its answer
      await pool.settle();
      if (!runsShort(await pool.usage())) break;
      services.log.info(`Emptying the trash: storage pool "${pool.name}" runs short of space`, { type, name });
      await deleteAll(services, [uuid]);
    }
  }
}

/** Less than a tenth of the pool is free, and less than 10 GiB. */
export function runsShort({ used, total }: Pick<PoolUsage, 'used' | 'total'>): boolean {
  return total - used < Math.min(total / 10, 10 * 2 ** 30);
}
