import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { StreamTree, TreeReceiver, TreeSender } from '#storage/tree-streams.ts';
import type { Volume } from '#storage/driver.ts';
import type { FrameChannel } from '#protocol/frame-channel.ts';
import type { Watch } from './rsync-transfer.ts';

const maxTrees = 10_000;

interface TreeList {
  readonly subvolumes: readonly StreamTree[];
}

/** Sends a volume and the snapshots wanted, each tree as what differs from the one before. */
export async function sendTrees(
  channel: FrameChannel,
  sender: TreeSender,
  refresh: boolean,
  { count, signal }: Watch,
): Promise<void> {
  await channel.sendJson({ subvolumes: sender.trees } satisfies TreeList);
  const wanted = refresh ? treesOf(await channel.json()) : sender.trees;
  const isWanted = new Set(wanted.map(keyOf));
  const before = new Map<string, StreamTree>();
  for (const tree of sender.trees) {
    const parent = before.get(tree.path);
    before.set(tree.path, tree);
    if (!isWanted.has(keyOf(tree))) continue;
    const output = async (chunk: Buffer): Promise<void> => {
      count(chunk.length);
      await channel.write(chunk);
    };
    await sender.send(tree, parent, output, signal);
    await channel.end();
  }
}

/**
 * Receives trees into a place beside the volume. On a refresh the source is told which it need not send: those of
 * snapshots that are here and the same. `onWhole` is told which snapshots have come with all their trees.
 */
export async function receiveTrees(
  channel: FrameChannel,
  receiver: TreeReceiver,
  target: { readonly volume: Volume; readonly refresh: boolean; readonly known: readonly string[] },
  { count, signal }: Watch,
  onWhole: (snapshot: string) => void,
): Promise<void> {
  const offered = treesOf(await channel.json());
  let wanted = offered;
  if (target.refresh) {
    const here = new Set<string>();
    for (const name of target.known)
      for (const { path, uuid } of await receiver.offer({ volume: target.volume, name }))
        here.add(`${name}\0${path}\0${uuid}`);
    const isMissing = (tree: StreamTree): boolean => !here.has(`${keyOf(tree)}\0${tree.uuid.replaceAll('-', '')}`);
    const missing = new Set(offered.filter(isMissing).map(tree => tree.snapshot));
    wanted = offered.filter(tree => missing.has(tree.snapshot));
    await channel.sendJson({ subvolumes: wanted } satisfies TreeList);
  }
  for (const [index, tree] of wanted.entries()) {
    const parent = offered.slice(0, offered.indexOf(tree)).findLast(one => one.path === tree.path);
    await receiver.receive(tree, parent, channel.chunks(count), signal);
    if (wanted[index + 1]?.snapshot !== tree.snapshot) onWhole(tree.snapshot);
  }
}

function keyOf({ snapshot, path }: StreamTree): string {
  return `${snapshot}\0${path}`;
}

/** Throws "invalid-argument" unless it is a list of trees. */
function treesOf(value: unknown): readonly StreamTree[] {
  const list = (value as Partial<TreeList> | null)?.subvolumes;
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
