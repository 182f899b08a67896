import { describeDriver } from '../testing/driver-contract.ts';
import { makeScratchPool } from '../testing/scratch-pool.ts';
import { dir } from './driver.ts';

describeDriver('dir', () => makeScratchPool(dir, {}));
