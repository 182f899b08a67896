import { describeDriver } from '../testing/driver-contract.ts';
import { makeScratchPool } from '../testing/scratch-pool.ts';
import { btrfs } from './driver.ts';

describeDriver('btrfs', () => makeScratchPool(btrfs, { size: '256MiB' }));
