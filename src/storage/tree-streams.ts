import type { Snapshot, StorageDriver, Volume } from './driver.ts';
import type { ByteSink } from './piped-bytes.ts';

/** One tree of a volume or snapshot: its top, or one that the guest nested in it. */
export interface StreamTree {
  /** absolute within the volume: "/" for the top */
  readonly path: string;
  /** name of the snapshot; empty for the volume itself */
  readonly snapshot: string;
  readonly readonly: boolean;
  /** what a receiver knows the tree by afterwards: a UUID, or a number with ZFS */
  readonly uuid: string;
}

/** A volume and its snapshots, standing still to be streamed. */
export interface TreeSender extends AsyncDisposable {
  /** absolute path of the volume's content as it stands still; undefined when no folder shows all of it */
  readonly stillFolder: string | undefined;
  /** by snapshot, oldest first, the volume itself last; parents before what is nested in them */
  readonly trees: readonly StreamTree[];
  /** false when only servers like this one know how to take them */
  readonly common: boolean;
  /** Writes one stream, of what differs from one of those before it, which the receiver has. */
  send(
    tree: StreamTree,
    before: readonly StreamTree[],
    output: ByteSink,
    options: { readonly compressed: boolean; readonly signal?: AbortSignal },
  ): Promise<void>;
}

/** Takes streams that nobody has to trust into a place of their own; nothing of the pool changes until it is told so. */
export interface TreeReceiver extends AsyncDisposable {
  /** Lets streams build on a snapshot that is here already; what of it came from elsewhere, as that calls it. */
  offer(snapshot: Snapshot): Promise<readonly Pick<StreamTree, 'path' | 'uuid'>[]>;
  /**
   * `parent` is what the sender lists before the tree at its path, which the stream may build on. Chunks of the stream
   * are done with when the next one is asked for.
   */
  receive(
    tree: StreamTree,
    parent: StreamTree | undefined,
    stream: AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void>;
  /**
   * Puts what was received in place: snapshots of these names, each in the place of one that is there, and the volume
   * itself, whose old content stays until then.
   */
  place(volume: Volume, snapshots: readonly string[]): Promise<void>;
  /** The same without the volume itself, when no more came. */
  placeSnapshots(volume: Volume, snapshots: readonly string[]): Promise<void>;
}

export type TreeFormat = 'btrfs' | 'zfs';

/** Throws for a tree that must not be used. */
export type CheckTree = (folder: string) => Promise<void>;

/** A capability of drivers, not a duty: moving volumes with their snapshots in the file system's own format. */
export interface TreeStreams {
  readonly treeFormat: TreeFormat;
  /** with `head` the volume is sent as it was at that snapshot */
  openSender(volume: Volume, snapshots: readonly string[], head?: string): Promise<TreeSender>;
  /** `check` sees the top folder of each tree that came, and may refuse it. */
  openReceiver(check: CheckTree): Promise<TreeReceiver>;
}

export function hasTreeStreams(driver: StorageDriver): driver is StorageDriver & TreeStreams {
  return 'treeFormat' in driver;
}
