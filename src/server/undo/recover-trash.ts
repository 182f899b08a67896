import { deleteTrashRow, listTrashRows, markedTrash, setTrashState, type TrashRecord } from '../database/trash.ts';
import { finishDelete, type TrashServices } from './empty-trash.ts';
import { holdTrash, volumeOf } from './trash-items.ts';

/**
 * Puts right what a daemon that ended in the middle left in the trash: begun deletions are finished. What was on its way
 * there or back has arrived by now with its instance or volume; where that is gone, it stays in the trash.
 */
export async function recoverTrash(services: TrashServices): Promise<void> {
  const { rows, marked } = await services.database.read(async reader => ({
    rows: await listTrashRows(reader),
    marked: await markedTrash(reader),
  }));
  for (const row of rows) {
    if (row.state === 'kept' || marked.has(row.uuid)) continue;
    try {
      await recoverOne(services, row);
    } catch (error) {
      services.log.error('Failed recovering something in the trash', { trash: row.uuid, pool: row.pool, error });
    }
  }
}

async function recoverOne(services: TrashServices, row: TrashRecord): Promise<void> {
  using _lock = holdTrash(services, row.uuid, 'recover');
  if (row.state === 'leaving') return await finishDelete(services, row);
  const isThere = await services.pools.get(row.pool).hasVolume(volumeOf(row));
  await services.database.write(tx => (isThere ? setTrashState(tx, row.uuid, 'kept') : deleteTrashRow(tx, row.uuid)));
}
