import type { ConfigMap } from '#api/common.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';
import type { DriverContext, DriverType, NativeDiffs, StableViews, StorageDriver, StreamChains } from '../driver.ts';
import type { TreeStreams } from '../tree-streams.ts';
import { Background } from '../trees/background.ts';
import { treeVerbs } from '../trees/verbs.ts';
import type { TreeContext, TreeOperations } from '../trees/trees.ts';
import { btrfsKeys } from './config-keys.ts';
import * as pool from './pool.ts';
import { inheritLimit, setQuota, volumeUsage } from './quota.ts';
import { adoptConfig, completeConfig } from './source.ts';
import { diffSnapshots, openChain, receiveChain, viewVolume } from './stream-chain.ts';
import { openReceiver } from './stream-receiver.ts';
import { openSender } from './stream-sender.ts';
import { destroy, snapshotTree } from './subvolumes.ts';

/** Each volume is a subvolume, each snapshot a read-only one; see btrfs-subvolume(8). */
export const btrfs: DriverType = {
  name: 'btrfs',
  hostAdvice: 'install the package "btrfs-progs"',
  poolKeys: btrfsKeys,
  volumeKeys: {},
  create,
  version,
  completeConfig,
  adoptConfig,
};

const operations: TreeOperations = {
  create: (parent, name) => kernel.btrfsCreateSubvolume(parent.descriptor, name),
  copy: snapshotTree,
  seal: tree => kernel.btrfsSetReadOnly(tree.descriptor, true),
  destroy,
  succeed: inheritLimit,
  // Ids of subvolumes only grow, and survive a rename; their times are those of the tree they were made from.
  age: tree => BigInt(kernel.btrfsSubvolumeId(tree.descriptor)),
};

function create(given: DriverContext): StorageDriver & StableViews & StreamChains & NativeDiffs & TreeStreams {
  const context: TreeContext & { config: ConfigMap } = { ...given, background: new Background(given.log), operations };
  return {
    ...treeVerbs(context),
    name: 'btrfs',
    createPool: () => pool.createPool(context),
    deletePool: () => pool.deletePool(context),
    mountPool: () => pool.mountPool(context),
    unmountPool: () => pool.unmountPool(context),
    updatePool: async (before, after) => {
      await pool.updatePool(context, before, after);
      context.config = after;
    },
    setQuota: (volume, bytes) => setQuota(context, volume, bytes),
    volumeUsage: volume => volumeUsage(context, volume),

    diffSnapshots: (from, to, signal) => diffSnapshots(context, from, to, signal),
    listsStreams: true,
    viewVolume: volume => viewVolume(context, volume),
    openChain: (volume, snapshots, signal) => openChain(context, volume, snapshots, signal),
    receiveChain: (volume, streams, signal) => receiveChain(context, volume, streams, signal),

    treeFormat: 'btrfs',
    openSender: (volume, snapshots, head) => openSender(context, volume, snapshots, head),
    openReceiver: check => openReceiver(context, check),
  };
}

/** Version of the tools; undefined when they are not installed. */
async function version(): Promise<string | undefined> {
  try {
    const { stdout } = await runCommand('btrfs', ['version']);
    return /v?(\d[\w.-]*)/.exec(stdout)?.[1];
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
