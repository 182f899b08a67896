import { mkdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';
import type { ChainedStream, ReceivedStream, Snapshot, StreamChain, Volume, VolumeView } from '../driver.ts';
import { temporaryName, volumeFolders } from '../layout.ts';
import { spendingSpace } from '../errors.ts';
import { StreamDiff } from '../diff/stream-diff.ts';
import type { TreeChange } from '../diff/tree-change.ts';
import { Folder } from '../trees/folder.ts';
import { addSnapshot } from '../trees/snapshots.ts';
import { destroyLater, openTop, openVolumes, relativePath, type TreeContext } from '../trees/trees.ts';
import { addVolume } from '../trees/volumes.ts';
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

/** Streams of a volume's snapshots and then of itself, each based on the one before (btrfs-send(8)). */
export async function openChain(
  context: TreeContext,
  volume: Volume,
  snapshots: readonly string[],
  signal?: AbortSignal,
): Promise<StreamChain> {
  const view = await viewVolume(context, volume);
  try {
    const members: ChainedStream[] = [];
    let base: readonly string[] = [];
    for (const snapshot of [...snapshots, undefined]) {
      const source =
        snapshot === undefined ? view.folder : path.join(context.mountPoint, relativePath({ volume, name: snapshot }));
      await refuseNested(source, volume.name);
      const args = ['send', '-q', ...base, source];
      const write = async (output: Writable): Promise<void> => {
        await runCommand('btrfs', args, { output, timeoutMs: dayMs, ...(signal && { signal }) });
      };
      members.push({ snapshot, id: await subvolumeUuid(source), write });
      base = ['-p', source];
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

async function refuseNested(folder: string, volume: string): Promise<void> {
  using top = Folder.open(folder);
  if ((await kernel.btrfsNestedSubvolumes(top.descriptor)).length === 0) return;
  const reason = 'the guest has nested subvolumes in it; leave out "optimized_storage"';
  throw new ApiError('unsupported', `Cannot stream storage volume "${volume}": ${reason}`);
}

async function subvolumeUuid(folder: string): Promise<string> {
  const { stdout } = await runCommand('btrfs', ['subvolume', 'show', folder]);
  return /^\s*UUID:\s*([0-9a-f-]{36})/m.exec(stdout)?.[1] ?? '';
}

/**
 * Makes a volume with snapshots from such streams, the last of which is the volume's own. Each is received into a cage
 * of its own below a folder that goes afterwards, confined as `receive` confines it. What a failure leaves of the
 * volume is the caller's to delete.
 */
export async function receiveChain(
  context: TreeContext,
  volume: Volume,
  streams: AsyncIterable<ReceivedStream>,
  signal?: AbortSignal,
): Promise<void> {
  const cages = await mkdtemp(path.join(context.mountPoint, '.temporary-chain-'));
  const received: string[] = [];
  let whole = false;
  try {
    for await (const { snapshot, input } of streams) {
      if (whole) throw new ApiError('invalid-argument', 'Malformed backup: a stream follows that of the volume itself');
      const cage = path.join(cages, String(received.length));
      mkdirSync(cage, 0o700);
      const args = ['receive', '-q', '-e', '-C', cage];
      await runCommand('btrfs', args, { input, timeoutMs: dayMs, ...(signal && { signal }) });
      if (snapshot === undefined) whole = true;
      received.push(snapshot ?? '');
    }
    if (!whole) throw new ApiError('invalid-argument', 'Malformed backup: the stream of the volume itself is missing');
    await place(context, volume, cages, received);
  } finally {
    destroyLater(context, '.', path.basename(cages));
  }
}

/** The volume first, because snapshots are kept only of a volume that is there. */
async function place(context: TreeContext, volume: Volume, cages: string, names: readonly string[]): Promise<void> {
  using head = openReceived(path.join(cages, String(names.length - 1)));
  await addVolume(context, volume, (parent, half) => snapshotTree(head, parent, half, false));
  for (const [index, name] of names.slice(0, -1).entries()) {
    using top = openReceived(path.join(cages, String(index)));
    await addSnapshot(context, { volume, name }, async (parent, half) => {
      await snapshotTree(top, parent, half, true);
    });
  }
}

function openReceived(cage: string): Folder {
  using folder = Folder.open(cage);
  const [name, ...others] = folder.names();
  if (name === undefined || others.length > 0)
    throw new ApiError('invalid-argument', 'Malformed backup: a stream does not hold exactly one subvolume');
  return folder.child(name);
}
