import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeDriver } from '../testing/driver-contract.ts';
import { makeScratchPool } from '../testing/scratch-pool.ts';
import { makeZpool, type ScratchZpool } from './testing/scratch-zpool.ts';
import { zfs } from './driver.ts';

let zpool: ScratchZpool;
let pools = 0;

beforeAll(async () => {
  zpool = await makeZpool('contract');
});
afterAll(() => zpool.dispose());

// A dataset for each test: zpools take seconds to make.
describeDriver('zfs', () => {
  pools += 1;
  return makeScratchPool(zfs, { source: `${zpool.name}/pool${String(pools)}` });
});

test('a snapshot that two read stays mounted until both are done', async () => {
  const pool = await makeScratchPool(zfs, { source: `${zpool.name}/readers` });
  try {
    const { driver } = pool;
    const snapshot = { volume: { kind: 'container', name: 'web' }, name: 'snap0' } as const;
    await driver.createVolume(snapshot.volume);
    await writeFile(path.join(await driver.mountVolume(snapshot.volume), 'state'), 'one');
    await driver.createSnapshot(snapshot);
    const folders = await Promise.all([driver.mountSnapshot(snapshot), driver.mountSnapshot(snapshot)]);
    await driver.unmountSnapshot(snapshot);
    expect(await readFile(path.join(folders[0], 'state'), 'utf8')).toBe('one');
    await driver.unmountSnapshot(snapshot);
    await expect(readFile(path.join(folders[0], 'state'))).rejects.toMatchObject({ code: 'ENOENT' });
  } finally {
    await pool.dispose();
  }
});
