import type { ConfigMap } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import { changedKeys } from '#base/config-schema.ts';
import { Revert } from '#base/revert.ts';
import { driverType } from '#storage/drivers.ts';
import { getPool, type PoolRow, updatePool as writePool } from '../database/storage-pools.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { checkPoolConfig, withoutEmpty } from './check-pool.ts';
import { poolPath } from './pools.ts';

type Uses = Pick<Services, 'database' | 'pools' | 'locks' | 'events' | 'log'>;

export interface PoolChange {
  readonly name: string;
  readonly requestor: Requestor;
  /** the new members from the current row; throws when the client saw another state */
  readonly change: (current: PoolRow) => Pick<PoolRow, 'description' | 'config'>;
}

export async function updatePool(services: Uses, { name, requestor, change }: PoolChange): Promise<void> {
  using _lock = await services.locks.hold(`pool/${name}`, 'update');
  const current = await services.database.read(reader => getPool(reader, name));
  const wanted = change(current);
  const config = keepFixed(current.config, withoutEmpty(wanted.config));
  checkPoolConfig(driverType(current.driver), config, current.config);

  await using revert = new Revert(services.log);
  if (changedKeys(current.config, config).length > 0) {
    const { driver } = services.pools.get(name);
    await driver.updatePool(current.config, config);
    revert.add('changing the pool', () => driver.updatePool(config, current.config));
  }
  await services.database.write(tx => writePool(tx, name, { description: wanted.description, config }));
  revert.commit();
  emitLifecycle(services.events, 'storage-pool-updated', poolPath(name), {
    requestor,
  });
}

/** Where a pool lies never changes; a client that leaves these keys out does not mean to. */
function keepFixed(current: ConfigMap, wanted: ConfigMap): ConfigMap {
  const kept = Object.entries(current).filter(([key]) => isFixed(key) || key === 'size');
  for (const key of Object.keys(wanted)) {
    if (isFixed(key) && wanted[key] !== current[key]) throw invalid(`config.${key}`, 'cannot be changed');
  }
  return { ...Object.fromEntries(kept), ...wanted };
}

function isFixed(key: string): boolean {
  return key === 'source' || key === 'source.wipe' || key.startsWith('volatile.');
}
