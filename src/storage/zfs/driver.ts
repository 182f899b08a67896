import { readFile } from 'node:fs/promises';
import { CommandError, runCommand } from '#base/run-command.ts';
import type { DriverContext, DriverType, StableViews, StorageDriver, StreamChains, VolumeSettings } from '../driver.ts';
import type { TreeStreams } from '../tree-streams.ts';
import { Background } from '../trees/background.ts';
import { zfsKeys, zfsVolumeKeys } from './config-keys.ts';
import type { ZfsContext } from './datasets.ts';
import * as mounting from './mounting.ts';
import * as pool from './pool.ts';
import { configureVolume, poolUsage, setQuota, volumeUsage } from './quota.ts';
import { refillVolume } from './refill.ts';
import { restoreSnapshot } from './restore.ts';
import * as snapshots from './snapshots.ts';
import { adoptConfig, completeConfig } from './source.ts';
import { openReceiver, receiveChain } from './stream-receiver.ts';
import { openChain, openSender } from './stream-sender.ts';
import { viewVolume } from './views.ts';
import * as volumes from './volumes.ts';

/** Each volume is a dataset that the driver mounts itself, each snapshot one of ZFS; see zfsconcepts(7). */
export const zfs: DriverType = {
  name: 'zfs',
  hostAdvice:
    'install the packages "zfsutils-linux" and "zfs-dkms", which Debian has in "contrib", and load the module "zfs"',
  poolKeys: zfsKeys,
  volumeKeys: zfsVolumeKeys,
  create,
  version,
  completeConfig,
  adoptConfig,
};

function create(given: DriverContext): StorageDriver & StableViews & StreamChains & TreeStreams & VolumeSettings {
  const context: ZfsContext = {
    ...given,
    background: new Background(given.log),
    mountedSnapshots: new Map(),
    idmappedMounts: false,
  };
  return {
    name: 'zfs',
    createPool: () => pool.createPool(context),
    deletePool: () => pool.deletePool(context),
    mountPool: () => pool.mountPool(context),
    unmountPool: () => pool.unmountPool(context),
    settle: () => context.background.settle(),
    poolUsage: () => poolUsage(context),
    updatePool: async (before, after) => {
      await pool.updatePool(context, before, after);
      context.config = after;
    },
    supportsIdmappedMounts: () => context.idmappedMounts,

    createVolume: volume => volumes.createVolume(context, volume),
    cloneVolume: (source, target) => volumes.cloneVolume(context, source, target),
    deleteVolume: volume => volumes.deleteVolume(context, volume),
    renameVolume: (volume, newName) => volumes.renameVolume(context, volume, newName),
    listVolumes: () => volumes.listVolumes(context),
    hasVolume: volume => volumes.hasVolume(context, volume),
    mountVolume: volume => mounting.mountVolume(context, volume),
    unmountVolume: volume => mounting.unmount(context, volume),
    mountSnapshot: snapshot => mounting.mountSnapshot(context, snapshot),
    unmountSnapshot: snapshot => mounting.unmountSnapshot(context, snapshot),
    setQuota: (volume, bytes) => setQuota(context, volume, bytes),
    volumeUsage: volume => volumeUsage(context, volume),
    configureVolume: (volume, config) => configureVolume(context, volume, config),

    createSnapshot: snapshot => snapshots.createSnapshot(context, snapshot),
    cloneSnapshot: (source, target) => snapshots.cloneSnapshot(context, source, target),
    fillSnapshot: (target, fill) => snapshots.fillSnapshot(context, target, fill),
    deleteSnapshot: snapshot => snapshots.deleteSnapshot(context, snapshot),
    renameSnapshot: (snapshot, newName) => snapshots.renameSnapshot(context, snapshot, newName),
    restoreSnapshot: snapshot => restoreSnapshot(context, snapshot),
    refillVolume: (volume, fill) => refillVolume(context, volume, fill),
    listSnapshots: volume => snapshots.listSnapshots(context, volume),

    listsStreams: false,
    viewVolume: volume => viewVolume(context, volume),
    openChain: (volume, snapshots, signal) => openChain(context, volume, snapshots, signal),
    receiveChain: (volume, streams, signal) => receiveChain(context, volume, streams, signal),

    treeFormat: 'zfs',
    openSender: (volume, snapshots, head) => openSender(context, volume, snapshots, head),
    openReceiver: check => openReceiver(context, check),
  };
}

/** Version of the kernel module, which is loaded if it can be; undefined without it or without the tools. */
async function version(): Promise<string | undefined> {
  try {
    await runCommand('zfs', ['version']); // fails without the tools, whatever the module says
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.status === undefined) return undefined;
    await runCommand('modprobe', ['-q', 'zfs']).catch(() => undefined);
  }
  const loaded = await readFile('/sys/module/zfs/version', 'utf8').catch(() => undefined);
  return loaded?.trim();
}
