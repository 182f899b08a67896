import { ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import type { PipedCommand } from '#base/piped-command.ts';
import type { RsyncFeatures } from '#base/rsync-arguments.ts';
import { carryCommand } from '#protocol/carry-command.ts';
import { ControlChannel } from '#protocol/control-channel.ts';
import { FrameChannel } from '#protocol/frame-channel.ts';
import type { IdRangeEntry } from '#protocol/messages.ts';
import { agreed, offerOf } from '#protocol/negotiate.ts';
import type { Client } from '../client.ts';
import { secretsOf, startOperation } from '../transfer.ts';

/** A tree that is no instance yet, and what a server shall make of it. */
export interface TreePush {
  readonly target: Client;
  readonly request: Omit<InstancesPost, 'source'>;
  /** brings an instance that is there and stopped up to date */
  readonly refresh: boolean;
  /** how the ids of the tree are shifted; empty when they are the guest's own */
  readonly idmap: readonly IdRangeEntry[];
  /** starts rsync as the sender of a folder that holds the tree as "rootfs" */
  readonly send: (features: RsyncFeatures) => PipedCommand;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/** Trees are sent by rsync alone; bytes for a server in the same machine are not worth compressing. */
const abilities = { streams: undefined, compress: false };

/**
 * Makes an instance of a tree: the part of a source in LXD's migration, pushed through the connection that we have.
 * Resolves when the server has everything; what fails leaves nothing there, or the instance as it was.
 */
export async function pushTree(push: TreePush): Promise<Operation> {
  const { target, request, refresh } = push;
  const source = { type: 'migration', mode: 'push', refresh, live: false };
  const receiving = await startOperation(target, '/1.0/instances', { ...request, source });
  const secrets = secretsOf(receiving);
  const open = (channel: string): ReturnType<typeof target.transport.socket> =>
    target.transport.socket(`${receiving.path}/websocket`, { secret: secrets[channel] });
  try {
    // The control channel first: a server may begin to talk there as soon as it is open.
    const control = await open('control');
    const fs = await open('fs');
    try {
      await sendTree(push, new ControlChannel(control), new FrameChannel(fs));
    } finally {
      for (const socket of [fs, control]) socket.close();
    }
  } catch (error) {
    await receiving.cancel().catch(() => undefined);
    throw await reasonOf(receiving.wait(), error);
  }
  return await receiving.wait();
}

async function sendTree(
  { idmap, send, signal, onBytes }: TreePush,
  control: ControlChannel,
  fs: FrameChannel,
): Promise<void> {
  control.sendHeader({
    ...offerOf(abilities),
    idmap,
    snapshotNames: [],
    snapshots: [],
    predump: false,
    indexVersion: 0,
  });
  const agreement = agreed(await control.header(), abilities);
  if (!agreement) throw new ApiError('unsupported', 'The server wants the files in a way that was not offered');
  try {
    await carryCommand(fs, send(agreement.rsync), signal, { onSent: onBytes });
  } catch (error) {
    const reason = (await control.explanation()) ?? error;
    await control.tell(reason instanceof Error ? reason.message : String(reason));
    throw reason;
  }
  await control.verdict();
}

/** The server's word when all that is known here is that the connection ended. */
async function reasonOf(ended: Promise<Operation>, ours: unknown): Promise<unknown> {
  if (!ApiError.is(ours, 'unavailable')) return ours;
  const theirs = await ended.then(
    () => undefined,
    (error: unknown) => error,
  );
  return ApiError.is(theirs) && theirs.code !== 'canceled' ? theirs : ours;
}
