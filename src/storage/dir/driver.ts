import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import { copyTree, removeTree } from '../copy-tree.ts';
import type { DriverContext, DriverType, StorageDriver } from '../driver.ts';
import { Background } from '../trees/background.ts';
import type { TreeContext, TreeOperations } from '../trees/trees.ts';
import { treeVerbs } from '../trees/verbs.ts';
import { dirKeys } from './config-keys.ts';
import * as pool from './pool.ts';

/** Volumes and snapshots are plain folders on any file system; copies share blocks where it has reflinks. */
export const dir: DriverType = {
  name: 'dir',
  hostAdvice: '',
  poolKeys: dirKeys,
  create,
  version: () => Promise.resolve('1'),
  completeConfig: pool.completeConfig,
  adoptConfig: pool.adoptConfig,
};

const operations: TreeOperations = {
  create: async (parent, name) => kernel.mkdirAt(parent.descriptor, name, 0o700),
  copy: (source, parent, name) => copyTree(source.absolute, path.join(parent.absolute, name)),
  seal: () => Promise.resolve(),
  destroy: (parent, name) => removeTree(path.join(parent.absolute, name)),
  succeed: () => Promise.resolve(),
  age: tree => tree.born,
};

function create(given: DriverContext): StorageDriver {
  const context: TreeContext = { ...given, background: new Background(given.log), operations };
  return {
    ...treeVerbs(context),
    name: 'dir',
    createPool: () => Promise.resolve(),
    deletePool: () => pool.deletePool(context),
    mountPool: () => pool.mountPool(context),
    unmountPool: () => pool.unmountPool(context),
    updatePool: () => Promise.resolve(),
    setQuota: (_volume, bytes) => (bytes === undefined ? Promise.resolve() : Promise.reject(noQuota(given.poolName))),
    volumeUsage: () => Promise.resolve(undefined),
  };
}

function noQuota(pool: string): ApiError {
  return new ApiError(
    'unsupported',
    `Cannot limit the size of a volume in storage pool "${pool}": its driver has no quotas`,
  );
}
