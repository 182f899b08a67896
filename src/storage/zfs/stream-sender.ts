import { lstatSync } from 'node:fs';
import { ApiError } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import { runCommand } from '#base/run-command.ts';
import type { StreamChain, Volume } from '../driver.ts';
import { missing } from '../errors.ts';
import { runInto } from '../piped-bytes.ts';
import type { StreamTree, TreeSender } from '../tree-streams.ts';
import { locateSnapshots } from './branches.ts';
import type { ZfsContext } from './datasets.ts';
import { LineUp } from './line-up.ts';
import { freeze, mountStill } from './views.ts';

/** What a container has of ids when nobody gave it more. */
const largestOwnId = 65_535;
const dayMs = 24 * 3600 * 1000;

interface PlacedTree extends StreamTree {
  /** in ZFS */
  readonly fullName: string;
}

/** What is sent of a volume, each tree with its name in ZFS; the volume itself stands still until it is undone. */
interface Line {
  readonly lineUp: LineUp;
  readonly trees: readonly PlacedTree[];
}

async function openLine(
  context: ZfsContext,
  volume: Volume,
  snapshots: readonly string[],
  head: string | undefined,
  undo: Revert,
): Promise<Line> {
  const frozen = head === undefined ? await freeze(context, volume, undo) : undefined;
  const located = new Map(
    ((await locateSnapshots(context, volume)) ?? []).map(({ name, fullName }) => [name, fullName]),
  );
  const lineUp = await LineUp.read(context, volume);
  const trees = [...snapshots, ''].flatMap(snapshot => {
    const name = snapshot === '' ? head : snapshot;
    const fullName = name === undefined ? frozen : located.get(name);
    if (fullName === undefined) throw missing({ volume, name: name ?? '' });
    return treesOf(lineUp, fullName, snapshot);
  });
  return { lineUp, trees };
}

function treesOf(lineUp: LineUp, top: string, snapshot: string): readonly PlacedTree[] {
  const [dataset = '', label = ''] = top.split('@');
  return lineUp.pathsIn(top).map(path => {
    const fullName = `${dataset}${path === '/' ? '' : path}@${label}`;
    return { path, snapshot, readonly: snapshot !== '', uuid: lineUp.guidOf(fullName) ?? '', fullName };
  });
}

/** True when all are of one dataset, so that each goes on where the one before ended: as the streams of LXD do. */
function isOneLine({ trees }: Line): boolean {
  return new Set(trees.map(({ fullName }) => fullName.split('@')[0])).size === 1;
}

/** True where ids on disk are those of the host: an attribute that only servers like this one know says so. */
function isShifted(context: ZfsContext, folder: string | undefined): boolean {
  return !context.idmappedMounts && folder !== undefined && lstatSync(folder).uid > largestOwnId;
}

/** Arguments of zfs(8) that send what differs from the latest ancestor among those that the receiver has. */
function sendArguments(
  { lineUp }: Line,
  { fullName }: PlacedTree,
  before: readonly PlacedTree[],
  compressed: boolean,
): readonly string[] {
  const known = new Set(before.map(one => one.fullName));
  const base = [...lineUp.ancestors(fullName)].find(name => known.has(name));
  return ['send', ...(compressed ? ['-L', '-c'] : []), ...(base === undefined ? [] : ['-i', base]), fullName];
}

/** With `head` the volume is sent as it was at that snapshot. */
export async function openSender(
  context: ZfsContext,
  volume: Volume,
  snapshots: readonly string[],
  head?: string,
): Promise<TreeSender> {
  await using undo = new Revert(context.log);
  const line = await openLine(context, volume, snapshots, head, undo);
  const { trees } = line;
  const top = trees.findLast(({ path }) => path === '/')?.fullName ?? '';
  const isNested = trees.some(({ path }) => path !== '/');
  const stillFolder = isNested ? undefined : await mountStill(context, top, undo);
  const kept = undo.transfer();
  const placed = (tree: StreamTree): PlacedTree | undefined =>
    trees.find(({ path, snapshot }) => path === tree.path && snapshot === tree.snapshot);
  return {
    stillFolder,
    trees,
    common: isOneLine(line) && !isShifted(context, stillFolder),
    send: async (tree, before, output, { compressed, signal }) => {
      const wanted = placed(tree);
      if (!wanted) throw missing({ volume, name: tree.snapshot });
      const known = before.flatMap(one => placed(one) ?? []);
      await runInto(output, 'zfs', sendArguments(line, wanted, known, compressed), signal);
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

/** The same for a backup. */
export async function openChain(
  context: ZfsContext,
  volume: Volume,
  snapshots: readonly string[],
  signal?: AbortSignal,
): Promise<StreamChain> {
  await using undo = new Revert(context.log);
  const line = await openLine(context, volume, snapshots, undefined, undo);
  const { trees } = line;
  if (trees.some(({ path }) => path !== '/')) {
    const reason = 'the guest has nested datasets in it; leave out "optimized_storage"';
    throw new ApiError('unsupported', `Cannot stream storage volume "${volume.name}": ${reason}`);
  }
  const kept = undo.transfer();
  return {
    members: trees.map((tree, index) => ({
      snapshot: tree.snapshot || undefined,
      path: tree.path,
      readonly: tree.readonly,
      id: tree.uuid,
      write: async output => {
        const args = sendArguments(line, tree, trees.slice(0, index), true);
        await runCommand('zfs', args, { output, timeoutMs: dayMs, ...(signal && { signal }) });
      },
    })),
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
