import type { StreamTree, TreeReceiver, TreeSender } from '#storage/tree-streams.ts';
import type { FrameChannel } from '#protocol/frame-channel.ts';
import type { ZfsOffer } from '#protocol/messages.ts';
import type { Watch } from './rsync-transfer.ts';
import {
  identityOf,
  knownTrees,
  type PacedWatch,
  parseTrees,
  receiveEach,
  sendEach,
  type TreeTarget,
} from './tree-transfer.ts';

interface DatasetList {
  readonly snapshot_datasets: readonly { readonly name: string; readonly guid: string }[];
  /** ours, where both sides know any shape: all that comes, the volume itself too */
  readonly trees?: readonly StreamTree[];
}

/** Sends a volume and those of its snapshots that the target has not. */
export async function sendDatasets(
  channel: FrameChannel,
  sender: TreeSender,
  options: { readonly refresh: boolean; readonly features: ZfsOffer },
  watch: PacedWatch,
): Promise<void> {
  const { anyShape, compress } = options.features;
  await channel.sendJson({
    snapshot_datasets: listed(sender.trees.filter(({ snapshot }) => snapshot !== '')),
    ...(anyShape && { trees: sender.trees }),
  } satisfies DatasetList);
  const there = new Set(options.refresh ? (await readList(channel, false)).map(({ uuid }) => uuid) : []);
  const isWanted = ({ snapshot, uuid }: StreamTree): boolean => snapshot === '' || !there.has(uuid);
  await sendEach(channel, sender, { isWanted, compressed: compress }, watch);
}

/**
 * On a refresh the source is told which snapshots are here. LXD sends each missing one based on the one before it in its
 * list, so it is told of no more than come one after the other at the beginning of that.
 */
export async function receiveDatasets(
  channel: FrameChannel,
  receiver: TreeReceiver,
  target: TreeTarget & { readonly offered: readonly string[]; readonly anyShape: boolean },
  watch: Watch,
): Promise<void> {
  const list = await readList(channel, target.anyShape);
  const coming = list.filter(({ snapshot }) => snapshot === '' || target.offered.includes(snapshot));
  const head = coming.some(({ snapshot }) => snapshot === '')
    ? []
    : [{ path: '/', snapshot: '', readonly: false, uuid: '' }];
  const offered = [...coming, ...head];
  let wanted: readonly StreamTree[] = offered;
  if (target.refresh) {
    const here = await knownTrees(receiver, target);
    const missing = offered.findIndex(tree => !here.has(identityOf(tree)));
    const found = target.anyShape ? offered.filter(tree => here.has(identityOf(tree))) : offered.slice(0, missing);
    await channel.sendJson({ snapshot_datasets: listed(found) } satisfies DatasetList);
    wanted = offered.filter(tree => !found.includes(tree));
  }
  await receiveEach(channel, receiver, { offered, wanted, onWhole: target.onWhole }, watch);
}

function listed(trees: readonly StreamTree[]): DatasetList['snapshot_datasets'] {
  return trees.map(({ snapshot, uuid }) => ({ name: snapshot, guid: uuid }));
}

async function readList(channel: FrameChannel, anyShape: boolean): Promise<readonly StreamTree[]> {
  const { snapshot_datasets: datasets, trees } = ((await channel.json()) ?? {}) as Partial<DatasetList>;
  if (anyShape) return parseTrees(trees);
  const asTree = (entry: unknown): unknown => {
    const { name, guid } = (entry ?? {}) as { readonly name?: unknown; readonly guid?: unknown };
    return { path: '/', snapshot: name, readonly: true, uuid: guid };
  };
  // A list of nothing is written as null.
  return parseTrees(Array.isArray(datasets) ? datasets.map(asTree) : (datasets ?? []));
}
