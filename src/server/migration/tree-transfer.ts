import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { Volume } from '#storage/driver.ts';
import type { StreamTree, TreeReceiver, TreeSender } from '#storage/tree-streams.ts';
import type { FrameChannel } from '#protocol/frame-channel.ts';
import type { Pace } from './pace.ts';
import type { Watch } from './rsync-transfer.ts';

const maxTrees = 10_000;

/** A volume that is there and shall become what comes. */
export interface TreeTarget {
  readonly volume: Volume;
  readonly refresh: boolean;
  /** snapshots of it that are here and may be those that the source has */
  readonly known: readonly string[];
  /** told which snapshots have come with all their trees */
  readonly onWhole: (snapshot: string) => void;
}

export interface PacedWatch extends Watch {
  readonly pace: Pace;
}

/** Sends the trees that are wanted, each as what differs from one before it. */
export async function sendEach(
  channel: FrameChannel,
  sender: TreeSender,
  options: { readonly isWanted: (tree: StreamTree) => boolean; readonly compressed: boolean },
  { count, signal, pace }: PacedWatch,
): Promise<void> {
  for (const [index, tree] of sender.trees.entries()) {
    if (!options.isWanted(tree)) continue;
    const output = async (chunk: Buffer): Promise<void> => {
      await pace.pass(chunk.length);
      count(chunk.length);
      await channel.write(chunk);
    };
    const before = sender.trees.slice(0, index);
    await sender.send(tree, before, output, { compressed: options.compressed, signal });
    await channel.end();
  }
}

/** Receives the wanted of the offered trees into a place beside the volume. */
export async function receiveEach(
  channel: FrameChannel,
  receiver: TreeReceiver,
  trees: {
    readonly offered: readonly StreamTree[];
    readonly wanted: readonly StreamTree[];
    readonly onWhole: TreeTarget['onWhole'];
  },
  { count, signal }: Watch,
): Promise<void> {
  for (const [index, tree] of trees.wanted.entries()) {
    const parent = trees.offered.slice(0, trees.offered.indexOf(tree)).findLast(one => one.path === tree.path);
    await receiver.receive(tree, parent, channel.chunks(count), signal);
    if (trees.wanted[index + 1]?.snapshot !== tree.snapshot) trees.onWhole(tree.snapshot);
  }
}

/** What of a target's snapshots is known to go by the names and numbers of its source. */
export async function knownTrees(receiver: TreeReceiver, { volume, known }: TreeTarget): Promise<ReadonlySet<string>> {
  const here = new Set<string>();
  for (const name of known)
    for (const { path, uuid } of await receiver.offer({ volume, name }))
      here.add(identityOf({ snapshot: name, path, uuid }));
  return here;
}

/** Snapshot, path and number of a tree. */
export function identityOf({ snapshot, path, uuid }: Pick<StreamTree, 'snapshot' | 'path' | 'uuid'>): string {
  return [snapshot, path, uuid.replaceAll('-', '')].join('\0');
}

/** Throws "invalid-argument" unless it is a list of trees. */
export function parseTrees(list: unknown): readonly StreamTree[] {
  if (!Array.isArray(list) || list.length > maxTrees) throw malformed();
  return list.map((entry: unknown) => {
    const { path, snapshot, readonly, uuid } = (entry ?? {}) as Partial<Record<keyof StreamTree, unknown>>;
    if (typeof path !== 'string' || typeof snapshot !== 'string' || hasControlCharacters(path + snapshot))
      throw malformed();
    return { path, snapshot, readonly: readonly === true, uuid: typeof uuid === 'string' ? uuid : '' };
  });
}

function malformed(): ApiError {
  return new ApiError('invalid-argument', 'The other server sent a malformed list of subvolumes');
}
