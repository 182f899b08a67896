import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { silentLog } from '#base/log.ts';
import type { DriverContext, DriverType, StorageDriver } from '../driver.ts';

export interface ScratchPool {
  readonly folder: string;
  readonly context: DriverContext;
  readonly driver: StorageDriver;
  /** a second driver of the same pool, as after a restart of the daemon */
  again(): StorageDriver;
  dispose(): Promise<void>;
}

/** Creates and mounts a pool in a temporary folder. */
export async function makeScratchPool(type: DriverType, given: ConfigMap): Promise<ScratchPool> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pool-'));
  const place = { poolName: 'scratch', loopFile: path.join(folder, 'disks', 'scratch.img') };
  const config = await type.completeConfig(given, place);
  const context = { ...place, config, mountPoint: path.join(folder, 'mount'), log: silentLog };
  const driver = type.create(context);
  await driver.createPool();
  await driver.mountPool();
  return {
    folder,
    context,
    driver,
    again: () => type.create(context),
    dispose: async () => {
      await driver.deletePool();
      await rm(folder, { recursive: true });
    },
  };
}
