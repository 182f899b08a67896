import type { Readable, Writable } from 'node:stream';
import type { ConfigMap } from '#api/common.ts';
import type { TreeChange } from './diff/tree-change.ts';
import type { KeyTable } from '#base/config-schema.ts';
import type { Log } from '#base/log.ts';

export type VolumeKind = 'container' | 'image' | 'custom';

/** A file tree in a pool. Names are one path segment; the pool checks them. */
export interface Volume {
  readonly kind: VolumeKind;
  readonly name: string;
}

/** A read-only state of a volume. */
export interface Snapshot {
  readonly volume: Volume;
  readonly name: string;
}

/** Fills an empty folder that belongs to root; a rejection undoes what the folder was made for. */
export type FillVolume = (folder: string) => Promise<void>;

/**
 * Changes a copy of a volume; `keepSnapshot` makes a snapshot of how the copy is at that moment, in the place of one of
 * that name.
 */
export type RefillVolume = (folder: string, keepSnapshot: (name: string) => Promise<void>) => Promise<void>;

/** Bytes; `total` is the quota of a volume, or the size of the file system when it has none. */
export interface Usage {
  readonly used: number;
  readonly total: number;
}

export interface PoolUsage extends Usage {
  readonly inodesUsed: number;
  readonly inodesTotal: number;
}

/**
 * One way to keep volumes. Creating what exists fails with "already-exists", deleting what is gone succeeds, reading or
 * changing what is not there fails with "not-found"; a method that fails leaves what was there before. A method that is
 * interrupted by the end of the process leaves at most things that `deletePool`, `deleteVolume` or the next
 * `mountPool` removes.
 */
export interface StorageDriver {
  readonly name: string;

  /** Makes the pool from its config: formats a disk or loop file, or takes an empty folder. */
  createPool(): Promise<void>;
  /** Removes every volume and, where the pool made it, the loop file. */
  deletePool(): Promise<void>;
  /** Makes the pool usable at its mount point and removes what an interrupted method left. May be called twice. */
  mountPool(): Promise<void>;
  /** May be called twice. */
  unmountPool(): Promise<void>;
  /** Waits for deletions that go on after their method has answered. */
  settle(): Promise<void>;
  poolUsage(): Promise<PoolUsage>;
  /** Takes over changed config, e.g. grows a loop file; `before` is the config until now. */
  updatePool(before: ConfigMap, after: ConfigMap): Promise<void>;

  createVolume(volume: Volume): Promise<void>;
  /** Makes `target` with the content of `source`: copy-on-write where the file system can. */
  cloneVolume(source: Volume | Snapshot, target: Volume): Promise<void>;
  /** Deletes a volume with its snapshots and whatever the guest nested in it. */
  deleteVolume(volume: Volume): Promise<void>;
  /** Renames a volume and its snapshots with it. */
  renameVolume(volume: Volume, newName: string): Promise<void>;
  listVolumes(): Promise<readonly Volume[]>;
  hasVolume(volume: Volume): Promise<boolean>;
  /** Makes the volume reachable and returns the absolute path of its top folder. May be called twice. */
  mountVolume(volume: Volume): Promise<string>;
  /** May be called twice. */
  unmountVolume(volume: Volume): Promise<void>;
  /** Like mountVolume, for the read-only content of a snapshot. */
  mountSnapshot(snapshot: Snapshot): Promise<string>;
  unmountSnapshot(snapshot: Snapshot): Promise<void>;
  /** Limits the bytes that a volume refers to; undefined lifts the limit. "unsupported" where the driver cannot. */
  setQuota(volume: Volume, bytes: number | undefined): Promise<void>;
  /** Bytes that a volume refers to and its quota, or undefined where knowing that would mean walking it. */
  volumeUsage(volume: Volume): Promise<Usage | undefined>;

  /** True when volumes can be mounted with shifted ids (mount_setattr(2)); known once the pool is mounted. */
  supportsIdmappedMounts(): boolean;

  createSnapshot(snapshot: Snapshot): Promise<void>;
  /** Makes a snapshot with the content of another volume's: copy-on-write where the file system can. */
  cloneSnapshot(source: Snapshot, target: Snapshot): Promise<void>;
  /** Makes a snapshot with the content that `fill` puts into an empty folder; it appears when it is whole. */
  fillSnapshot(target: Snapshot, fill: FillVolume): Promise<void>;
  deleteSnapshot(snapshot: Snapshot): Promise<void>;
  renameSnapshot(snapshot: Snapshot, newName: string): Promise<void>;
  /**
   * Puts the snapshot's content in the volume's place: the old content stays until the new one is whole. A quota stays
   * in force.
   */
  restoreSnapshot(snapshot: Snapshot): Promise<void>;
  /**
   * Puts what `fill` makes of a copy in the volume's place, with the snapshots that it keeps: until `fill` is done nothing
   * changes, and nothing at all when it fails. A quota stays in force.
   */
  refillVolume(volume: Volume, fill: RefillVolume): Promise<void>;
  /** Oldest first. */
  listSnapshots(volume: Volume): Promise<readonly string[]>;
}

/** A capability, not a duty: reading a volume as it was at one moment while it goes on changing. */
export interface StableViews {
  /** The view goes away when it is disposed of. */
  viewVolume(volume: Volume): Promise<VolumeView>;
}

export interface VolumeView extends AsyncDisposable {
  /** absolute path of its top folder */
  readonly folder: string;
}

export function hasStableViews(driver: StorageDriver): driver is StorageDriver & StableViews {
  return 'viewVolume' in driver;
}

/** A capability: what differs between two states, without reading them. */
export interface NativeDiffs {
  /** From a snapshot to another of the same volume or, with undefined, to the volume as it is now. */
  diffSnapshots(from: Snapshot, to: string | undefined, signal?: AbortSignal): Promise<readonly TreeChange[]>;
}

export function hasNativeDiffs(driver: StorageDriver): driver is StorageDriver & NativeDiffs {
  return 'diffSnapshots' in driver;
}

/** A capability: a volume with its snapshots as streams of the file system's own, each based on the one before. */
export interface StreamChains {
  /** whether a backup lists the streams in a file of its own, as LXD's of this driver do */
  readonly listsStreams: boolean;
  /** The streams of the named snapshots, oldest first, and then of the volume as it is now; kept until disposed of. */
  openChain(volume: Volume, snapshots: readonly string[], signal?: AbortSignal): Promise<StreamChain>;
  /**
   * Makes the volume and its snapshots from such streams, which nobody has to trust. What a failure leaves of the
   * volume is the caller's to delete.
   */
  receiveChain(volume: Volume, streams: AsyncIterable<ReceivedStream>, signal?: AbortSignal): Promise<void>;
}

export interface StreamChain extends AsyncDisposable {
  readonly members: readonly ChainedStream[];
}

/** One tree of a volume or snapshot in a chain. */
export interface ChainedTree {
  /** undefined for the volume itself */
  readonly snapshot: string | undefined;
  /** absolute within the volume: "/" for its top, others for what the guest nested in it */
  readonly path: string;
  readonly readonly: boolean;
  /** by which the file system knows what is sent; empty when nobody told */
  readonly id: string;
}

export interface ChainedStream extends ChainedTree {
  /** Writes the stream and leaves `output` open. */
  write(output: Writable): Promise<void>;
}

export interface ReceivedStream extends ChainedTree {
  readonly input: Readable;
}

export function canChainStreams(driver: StorageDriver): driver is StorageDriver & StreamChains {
  return 'openChain' in driver;
}

/** A capability: volumes with settings of their own in the place of the pool's defaults. */
export interface VolumeSettings {
  /** Applies the driver's keys of a volume's config; those that are not set follow the pool. A limit is set anew after it. */
  configureVolume(volume: Volume, config: ConfigMap): Promise<void>;
}

export function hasVolumeSettings(driver: StorageDriver): driver is StorageDriver & VolumeSettings {
  return 'configureVolume' in driver;
}

/** What a driver is made from. */
export interface DriverContext {
  readonly poolName: string;
  readonly config: ConfigMap;
  /** absolute folder that the pool is mounted at */
  readonly mountPoint: string;
  /** absolute path for a loop file that the driver may make */
  readonly loopFile: string;
  readonly log: Log;
}

/** A kind of driver: how to make one, its keys, and whether this host can use it. */
export interface DriverType {
  readonly name: string;
  /** What to do when this host cannot use the driver; empty when every host can. */
  readonly hostAdvice: string;
  /** pool keys beyond the common ones */
  readonly poolKeys: KeyTable;
  /** keys of custom volumes beyond the common ones; a driver that has some has VolumeSettings */
  readonly volumeKeys: KeyTable;
  create(context: DriverContext): StorageDriver;
  /** Version of the tools or of the kernel's file system; undefined when this host cannot use the driver. */
  version(): Promise<string | undefined>;
  /** Fills in what the user left out, e.g. `size` of a loop file: the config that is stored. */
  completeConfig(
    config: ConfigMap,
    context: { readonly poolName: string; readonly loopFile: string },
  ): Promise<ConfigMap>;
  /** The config of a pool that is there already, by what a user knows of it; absent where pools cannot be found again. */
  adoptConfig?(
    config: ConfigMap,
    context: { readonly poolName: string; readonly loopFile: string },
  ): Promise<ConfigMap>;
}
