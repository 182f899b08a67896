import path from 'node:path';
import type { Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import type { ChainedStream, ReceivedStream, Snapshot, StreamChain, Volume, VolumeView } from '../driver.ts';
import { temporaryName, volumeFolders } from '../layout.ts';
import { spendingSpace } from '../errors.ts';
import { StreamDiff } from '../diff/stream-diff.ts';
import type { TreeChange } from '../diff/tree-change.ts';
import { Folder } from '../trees/folder.ts';
import { destroyLater, openTop, openVolumes, relativePath, type TreeContext } from '../trees/trees.ts';
import type { StreamTree } from '../tree-streams.ts';
import { createVolume } from '../trees/volumes.ts';
import { openReceiver } from './stream-receiver.ts';
import { treesOf } from './stream-sender.ts';
import { snapshotTree } from './subvolumes.ts';

const dayMs = 24 * 3600 * 1000;

/** A read-only snapshot under a temporary name. */
export async function viewVolume(context: TreeContext, volume: Volume): Promise<VolumeView> {
  using source = openTop(context, volume);
  using parent = openVolumes(context, volume.kind);
  const name = temporaryName();
  await spendingSpace(`reading storage volume "${volume.name}"`, () => snapshotTree(source, parent, name, true));
  const folder = volumeFolders[volume.kind];
  return {
    folder: path.join(context.mountPoint, folder, name),
    [Symbol.asyncDispose]: async () => destroyLater(context, folder, name),
  };
}

/**
 * Streams of a volume's snapshots and then of itself, each tree of them based on the one before at its path
 * (btrfs-send(8)).
 */
export async function openChain(
  context: TreeContext,
  volume: Volume,
  snapshots: readonly string[],
  signal?: AbortSignal,
): Promise<StreamChain> {
  const view = await viewVolume(context, volume);
  try {
    const members: ChainedStream[] = [];
    const bases = new Map<string, string>();
    for (const snapshot of [...snapshots, undefined]) {
      const source =
        snapshot === undefined ? view.folder : path.join(context.mountPoint, relativePath({ volume, name: snapshot }));
      using top = Folder.open(source);
      for (const { path: inner, uuid } of await treesOf(top, snapshot ?? '')) {
        const place = path.join(source, inner);
        const base = bases.get(inner);
        const args = ['send', '-q', ...(base === undefined ? [] : ['-p', base]), '--', place];
        const write = async (output: Writable): Promise<void> => {
          await runCommand('btrfs', args, { output, timeoutMs: dayMs, ...(signal && { signal }) });
        };
        // what is nested in a snapshot is the guest's again once that is restored
        members.push({ snapshot, path: inner, readonly: snapshot !== undefined && inner === '/', id: uuid, write });
        bases.set(inner, place);
      }
    }
    return { members, [Symbol.asyncDispose]: () => view[Symbol.asyncDispose]() };
  } catch (error) {
    await view[Symbol.asyncDispose]();
    throw error;
  }
}

/** Subvolumes that the guest nested are left out. */
export async function diffSnapshots(
  context: TreeContext,
  from: Snapshot,
  to: string | undefined,
  signal?: AbortSignal,
): Promise<readonly TreeChange[]> {
  const at = (name: string): string => path.join(context.mountPoint, relativePath({ volume: from.volume, name }));
  await using view = to === undefined ? await viewVolume(context, from.volume) : undefined;
  const output = new StreamDiff();
  const args = ['send', '-q', '--no-data', '-p', at(from.name), view?.folder ?? at(to ?? '')];
  await runCommand('btrfs', args, { output, timeoutMs: dayMs, ...(signal && { signal }) });
  return output.changes;
}

/**
 * Makes a volume with snapshots from such streams, the last of which are the volume's own. They are received beside it,
 * confined as those of other servers. What a failure leaves of the volume is the caller's to delete.
 */
export async function receiveChain(
  context: TreeContext,
  volume: Volume,
  streams: AsyncIterable<ReceivedStream>,
  signal?: AbortSignal,
): Promise<void> {
  await using receiver = await openReceiver(context, () => Promise.resolve());
  const before = new Map<string, StreamTree>();
  const snapshots = new Set<string>();
  let whole = false;
  for await (const { snapshot, path: inner, readonly, id, input } of streams) {
    if (whole && snapshot !== undefined)
      throw new ApiError('invalid-argument', 'Malformed backup: a stream follows that of the volume itself');
    const tree: StreamTree = { path: inner, snapshot: snapshot ?? '', readonly, uuid: id };
    await receiver.receive(tree, before.get(inner), input, signal);
    before.set(inner, tree);
    if (snapshot === undefined) whole = true;
    else snapshots.add(snapshot);
  }
  if (!whole) throw new ApiError('invalid-argument', 'Malformed backup: the stream of the volume itself is missing');
  // snapshots are kept only of a volume that is there
  await createVolume(context, volume);
  await receiver.place(volume, [...snapshots]);
}
