import type { StreamTree, TreeReceiver, TreeSender } from '#storage/tree-streams.ts';
import type { FrameChannel } from '#protocol/frame-channel.ts';
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

interface SubvolumeList {
  readonly subvolumes: readonly StreamTree[];
}

/** Sends a volume and the snapshots wanted, each tree as what differs from the one before. */
export async function sendSubvolumes(
  channel: FrameChannel,
  sender: TreeSender,
  refresh: boolean,
  watch: PacedWatch,
): Promise<void> {
  await channel.sendJson({ subvolumes: sender.trees } satisfies SubvolumeList);
  const wanted = new Set((refresh ? await readList(channel) : sender.trees).map(keyOf));
  await sendEach(channel, sender, { isWanted: tree => wanted.has(keyOf(tree)), compressed: false }, watch);
}

/** On a refresh the source is told which it need not send: those of snapshots that are here and the same. */
export async function receiveSubvolumes(
  channel: FrameChannel,
  receiver: TreeReceiver,
  target: TreeTarget,
  watch: Watch,
): Promise<void> {
  const offered = await readList(channel);
  let wanted = offered;
  if (target.refresh) {
    const here = await knownTrees(receiver, target);
    const missing = new Set(offered.filter(tree => !here.has(identityOf(tree))).map(tree => tree.snapshot));
    wanted = offered.filter(tree => missing.has(tree.snapshot));
    await channel.sendJson({ subvolumes: wanted } satisfies SubvolumeList);
  }
  await receiveEach(channel, receiver, { offered, wanted, onWhole: target.onWhole }, watch);
}

async function readList(channel: FrameChannel): Promise<readonly StreamTree[]> {
  return parseTrees(((await channel.json()) as Partial<SubvolumeList> | null)?.subvolumes);
}

function keyOf({ snapshot, path }: StreamTree): string {
  return `${snapshot}\0${path}`;
}
