import type { StorageDriver } from '../driver.ts';
import { idmappedMountsAt, poolUsage } from '../mounts.ts';
import { listVolumes } from './folders.ts';
import { refillVolume } from './refill.ts';
import * as snapshots from './snapshots.ts';
import type { TreeContext } from './trees.ts';
import * as volumes from './volumes.ts';

/** What all drivers that keep volumes as folders answer in the same way. */
export type TreeVerbs = Omit<
  StorageDriver,
  'name' | 'createPool' | 'deletePool' | 'mountPool' | 'unmountPool' | 'updatePool' | 'setQuota' | 'volumeUsage'
>;

export function treeVerbs(context: TreeContext): TreeVerbs {
  return {
    settle: () => context.background.settle(),
    poolUsage: () => poolUsage(context.mountPoint),
    supportsIdmappedMounts: () => idmappedMountsAt(context.mountPoint),

    createVolume: volume => volumes.createVolume(context, volume),
    cloneVolume: (source, target) => volumes.cloneVolume(context, source, target),
    deleteVolume: async volume => volumes.deleteVolume(context, volume),
    renameVolume: async (volume, newName) => volumes.renameVolume(context, volume, newName),
    listVolumes: async () => listVolumes(context.mountPoint),
    hasVolume: async volume => volumes.hasVolume(context, volume),
    mountVolume: async volume => volumes.pathOf(context, volume),
    unmountVolume: () => Promise.resolve(),
    mountSnapshot: async snapshot => volumes.pathOf(context, snapshot),
    unmountSnapshot: () => Promise.resolve(),

    createSnapshot: snapshot => snapshots.createSnapshot(context, snapshot),
    cloneSnapshot: (source, target) => snapshots.cloneSnapshot(context, source, target),
    fillSnapshot: (target, fill) => snapshots.fillSnapshot(context, target, fill),
    deleteSnapshot: async snapshot => snapshots.deleteSnapshot(context, snapshot),
    renameSnapshot: async (snapshot, newName) => snapshots.renameSnapshot(context, snapshot, newName),
    restoreSnapshot: snapshot => snapshots.restoreSnapshot(context, snapshot),
    refillVolume: (volume, fill) => refillVolume(context, volume, fill),
    listSnapshots: async volume => snapshots.listSnapshots(context, volume),
  };
}
