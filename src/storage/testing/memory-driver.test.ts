import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describeDriver } from './driver-contract.ts';
import { MemoryDriver } from './memory-driver.ts';

describeDriver('memory', async () => {
  const driver = new MemoryDriver(await mkdtemp(path.join(os.tmpdir(), 'pool-')));
  await driver.createPool();
  await driver.mountPool();
  return { driver, dispose: () => driver.deletePool() };
});
