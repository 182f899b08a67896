import { CommandError } from '#base/run-command.ts';
import { ApiError } from '#api/error.ts';
import type { Cage } from '#storage/cage.ts';
import { spendingSpace } from '#storage/errors.ts';
import { type RsyncFeatures, vanishedStatus } from '#base/rsync-arguments.ts';
import { type RsyncSend, startRsyncReceiver, startRsyncSender } from '#storage/rsync.ts';
import { carryCommand } from '#protocol/carry-command.ts';
import type { FrameChannel } from '#protocol/frame-channel.ts';

/** Counts bytes as they pass and says when to stop. */
export interface Watch {
  readonly count: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Sends the content of a folder: rsync here, rsync there, the channel between them. */
export async function sendByRsync(
  channel: FrameChannel,
  folder: string,
  options: RsyncSend,
  { count, signal }: Watch,
): Promise<void> {
  await carryCommand(channel, startRsyncSender(folder, options), signal, { onSent: count }).catch(describe);
}

/** Receives the content of a folder, deleting there what the sender has not when the features say so. */
export async function receiveByRsync(
  channel: FrameChannel,
  folder: string,
  options: { readonly features: RsyncFeatures; readonly idmap?: Cage['idmap'] },
  { count, signal }: Watch,
): Promise<void> {
  const command = startRsyncReceiver(folder, options.features, options.idmap);
  await spendingSpace('receiving files', () =>
    carryCommand(channel, command, signal, { onReceived: count }).catch(describe),
  );
}

function describe(error: unknown): never {
  if (error instanceof CommandError && error.status === vanishedStatus)
    throw new ApiError(
      'failed-precondition',
      'Some files vanished while they were copied: stop the instance, or use "--allow-inconsistent"',
      { cause: error },
    );
  throw error;
}
