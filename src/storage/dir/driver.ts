import path from 'node:path';
import { kernel } from '#native/kernel.ts';
import { copyTree, removeTree } from '../copy-tree.ts';
import type { DriverContext, DriverType, StorageDriver } from '../driver.ts';
import { Background } from '../trees/background.ts';
import type { Folder } from '../trees/folder.ts';
import type { TreeContext, TreeOperations } from '../trees/trees.ts';
import { treeVerbs } from '../trees/verbs.ts';
import { dirKeys } from './config-keys.ts';
import * as pool from './pool.ts';
import { endProject, inheritLimit, setQuota, startProject, volumeUsage } from './project-quota.ts';

/** Volumes and snapshots are plain folders on any file system; copies share blocks where it has reflinks. */
export const dir: DriverType = {
  name: 'dir',
  hostAdvice: '',
  poolKeys: dirKeys,
  volumeKeys: {},
  create,
  version: () => Promise.resolve('1'),
  completeConfig: pool.completeConfig,
  adoptConfig: pool.adoptConfig,
};

const operations: TreeOperations = {
  create: makeFolder,
  copy: copyFolder,
  seal: () => Promise.resolve(),
  destroy: (parent, name) => endProject(parent, name, () => removeTree(path.join(parent.absolute, name))),
  succeed: async (old, fresh) => inheritLimit(old, fresh),
  age: tree => tree.born,
};

async function makeFolder(parent: Folder, name: string): Promise<void> {
  kernel.mkdirAt(parent.descriptor, name, 0o700);
  using made = parent.child(name);
  await startProject(made);
}

/** Snapshots count for nobody's quota. */
async function copyFolder(source: Folder, parent: Folder, name: string, readOnly: boolean): Promise<void> {
  if (!readOnly) await makeFolder(parent, name);
  await copyTree(source.absolute, path.join(parent.absolute, name));
}

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
    setQuota: (volume, bytes) => setQuota(context, volume, bytes),
    volumeUsage: volume => volumeUsage(context, volume),
  };
}
