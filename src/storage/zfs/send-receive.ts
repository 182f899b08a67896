import type { Readable, Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import type { Snapshot } from '../driver.ts';
import { missing } from '../errors.ts';
import { locateSnapshot } from './branches.ts';
import { ownProperties, snapshotLabel, type ZfsContext } from './datasets.ts';
import { addBranch } from './snapshots.ts';
import { zfs, zfsTable } from './zfs-command.ts';

const dayMs = 24 * 3600 * 1000;

/** Properties that a stream may bring and that would act on this host. */
const refusedProperties = ['quota', 'refquota', 'reservation', 'refreservation', 'sharenfs', 'sharesmb'];

/** Runs zfs-send(8) until the stream is written or its reader is gone. */
export async function send(
  context: ZfsContext,
  snapshot: Snapshot,
  output: Writable,
  signal?: AbortSignal,
): Promise<void> {
  const fullName = await locateSnapshot(context, snapshot);
  if (fullName === undefined) throw missing(snapshot);
  const nested = await zfsTable(['list', '-H', '-r', '-t', 'filesystem', '-o', 'name', fullName.split('@')[0] ?? '']);
  if (nested.length > 1) {
    throw new ApiError(
      'unsupported',
      `Cannot stream snapshot "${snapshot.volume.name}/${snapshot.name}": the guest has nested datasets in it`,
    );
  }
  await runCommand('zfs', ['send', '-L', '-c', fullName], { output, timeoutMs: dayMs, ...(signal && { signal }) });
}

/** Runs zfs-receive(8) into a branch of the volume. What the stream says of mounts, limits and shares does not count. */
export async function receive(
  context: ZfsContext,
  target: Snapshot,
  stream: Readable,
  signal?: AbortSignal,
): Promise<void> {
  await addBranch(context, target, async half => {
    const refused = refusedProperties.flatMap(name => ['-x', name]);
    await runCommand('zfs', ['receive', '-u', ...ownProperties, ...refused, `${half}@${snapshotLabel(target)}`], {
      input: stream,
      timeoutMs: dayMs,
      ...(signal && { signal }),
    });
    await zfs(['destroy', `${half}@${snapshotLabel(target)}`]);
  });
}
