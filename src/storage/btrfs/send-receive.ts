import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';
import type { Snapshot } from '../driver.ts';
import { Folder } from '../trees/folder.ts';
import { type TreeContext, destroyLater, openTop, relativePath } from '../trees/trees.ts';
import { addSnapshot } from '../trees/snapshots.ts';
import { snapshotTree } from './subvolumes.ts';

const dayMs = 24 * 3600 * 1000;

/** Runs btrfs-send(8) until the stream is written or its reader is gone. */
export async function send(
  context: TreeContext,
  snapshot: Snapshot,
  output: Writable,
  signal?: AbortSignal,
): Promise<void> {
  using top = openTop(context, snapshot);
  if ((await kernel.btrfsNestedSubvolumes(top.descriptor)).length > 0) {
    throw new ApiError(
      'unsupported',
      `Cannot stream snapshot "${snapshot.volume.name}/${snapshot.name}": the guest has nested subvolumes in it`,
    );
  }
  const args = ['send', '-q', path.join(context.mountPoint, relativePath(snapshot))];
  await runCommand('btrfs', args, { output, timeoutMs: dayMs, ...(signal && { signal }) });
}

/**
 * Runs btrfs-receive(8) confined by chroot(2) to a new folder: a stream may make a link and then write through it.
 * Confined, it cannot see older snapshots, so it takes whole streams only.
 */
export async function receive(
  context: TreeContext,
  target: Snapshot,
  stream: Readable,
  signal?: AbortSignal,
): Promise<void> {
  const cage = await mkdtemp(path.join(context.mountPoint, '.temporary-receive-'));
  try {
    await runCommand('btrfs', ['receive', '-q', '-e', '-C', cage], {
      input: stream,
      timeoutMs: dayMs,
      ...(signal && { signal }),
    });
    using folder = Folder.open(cage);
    const [name, ...others] = folder.names();
    if (name === undefined || others.length > 0) {
      throw new ApiError('invalid-argument', 'Cannot take the stream: it does not hold exactly one snapshot');
    }
    using received = folder.child(name);
    // A read-only subvolume cannot change its parent folder (EROFS): a snapshot of it can be made there.
    await addSnapshot(context, target, (parent, half) => snapshotTree(received, parent, half, true));
  } finally {
    destroyLater(context, '.', path.basename(cage));
  }
}
