import { afterAll, beforeAll } from 'vitest';
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
