import { ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import { deletePool as deleteRow, getPool, poolUsers, setPoolReady } from '../database/storage-pools.ts';
import { deleteWarningsOf } from '../database/warnings.ts';
import type { Reader } from '../database/database.ts';
import { countTrash } from '../database/trash.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { poolPath } from './pools.ts';

type Uses = Pick<Services, 'database' | 'pools' | 'locks' | 'events' | 'log'>;

/** Deletes a pool with its image volumes. From the moment that it is not ready, nobody can begin to use it. */
export async function deletePool(services: Uses, name: string, requestor: Requestor): Promise<void> {
  const { database, pools } = services;
  using _lock = await services.locks.hold(`pool/${name}`, 'delete');
  const row = await database.write(async tx => {
    const row = await getPool(tx, name);
    const users = (await poolUsers(tx)).get(name) ?? [];
    if (users.length > 0) throw inUse(name, users);
    await assertNoTrash(tx, name);
    await setPoolReady(tx, name, false);
    return row;
  });
  const pool = pools.list().find(pool => pool.name === name) ?? pools.build(row);
  try {
    await pool.driver.deletePool();
  } catch (error) {
    await database.write(tx => setPoolReady(tx, name, true));
    throw error;
  }
  await database.write(async tx => {
    await deleteRow(tx, name);
    await deleteWarningsOf(tx, poolPath(name));
  });
  pools.remove(name);
  emitLifecycle(services.events, 'storage-pool-deleted', poolPath(name), {
    requestor,
  });
}

/** What can be brought back does not vanish with its pool unasked. */
async function assertNoTrash(reader: Reader, name: string): Promise<void> {
  const count = await countTrash(reader, { pool: name });
  if (count === 0) return;
  throw new ApiError(
    'failed-precondition',
    `Cannot delete storage pool "${name}" while the trash holds ${String(count)} deleted instances or volumes of it; empty it first: "lxd-like trash empty --all-projects --pool ${name}"`,
  );
}

function inUse(name: string, users: readonly string[]): ApiError {
  const shown = users.slice(0, 3).join(', ');
  const more = users.length > 3 ? ` and ${String(users.length - 3)} more` : '';
  return new ApiError(
    'failed-precondition',
    `Cannot delete storage pool "${name}" while it is used by ${shown}${more}; delete or change these first`,
  );
}
