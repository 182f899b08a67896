import path from 'node:path';
import type { Requestor } from '#api/event.ts';
import type { StoragePoolsPost } from '#api/storage.ts';
import { alreadyExists } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import { chosenDriver } from '#storage/drivers.ts';
import { deletePool, insertPool, listPools, setPoolReady } from '../database/storage-pools.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { checkDriverUsable, checkPoolConfig, checkPoolName, withoutEmpty } from './check-pool.ts';
import { poolPath } from './pools.ts';

type Uses = Pick<Services, 'database' | 'pools' | 'paths' | 'locks' | 'events' | 'log'>;

export async function createPool(services: Uses, request: StoragePoolsPost, requestor: Requestor): Promise<void> {
  const { database, pools, paths, log } = services;
  const { name, driver, description = '', config: given = {} } = request;
  checkPoolName(name);
  using _lock = await services.locks.hold(`pool/${name}`, 'create');
  const type = await chosenDriver(driver);
  checkPoolConfig(type, given);
  await checkDriverUsable(type);
  const taken = await database.read(listPools);
  if (taken.some(row => row.name === name)) throw alreadyExists('Storage pool', name);
  const place = { poolName: name, loopFile: path.join(paths.disks, `${name}.img`) };
  const config = await type.completeConfig(withoutEmpty(given), place);

  await using revert = new Revert(log);
  await database.write(tx => insertPool(tx, { name, driver, description, config }));
  revert.add('writing the row', () => database.write(tx => deletePool(tx, name)));
  const pool = pools.build({ name, driver, config });
  await pool.driver.createPool();
  revert.add('creating the pool', () => pool.driver.deletePool());
  await pool.mount();
  await database.write(tx => setPoolReady(tx, name, true));
  pools.add(pool);
  revert.commit();
  emitLifecycle(services.events, 'storage-pool-created', poolPath(name), {
    requestor,
    context: { driver },
  });
}
