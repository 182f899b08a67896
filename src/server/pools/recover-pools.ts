import { deletePool, listPools } from '../database/storage-pools.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'database' | 'pools' | 'log'>;

/** Removes pools whose creation or deletion was interrupted. Called at start, before pools are mounted. */
export async function recoverPools(services: Uses): Promise<void> {
  const { database, pools, log } = services;
  const rows = (await database.read(listPools)).filter(row => !row.ready);
  for (const row of rows) {
    try {
      await pools.build(row).driver.deletePool();
      await database.write(tx => deletePool(tx, row.name));
      log.info(`Removed half-made storage pool "${row.name}"`);
    } catch (error) {
      log.error(`Failed removing half-made storage pool "${row.name}"`, { error });
    }
  }
}
