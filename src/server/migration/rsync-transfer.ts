import type { Writable } from 'node:stream';
import { CommandError } from '#base/run-command.ts';
import type { PipedCommand } from '#base/piped-command.ts';
import { ApiError } from '#api/error.ts';
import type { Cage } from '#storage/cage.ts';
import { spendingSpace } from '#storage/errors.ts';
import { type RsyncFeatures, vanishedStatus } from '#base/rsync-arguments.ts';
import { type RsyncSend, startRsyncReceiver, startRsyncSender } from '#storage/rsync.ts';
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
  await connect(channel, startRsyncSender(folder, options), signal, { onSent: count });
}

/** Receives the content of a folder, deleting there what the sender has not when the features say so. */
export async function receiveByRsync(
  channel: FrameChannel,
  folder: string,
  options: { readonly features: RsyncFeatures; readonly idmap?: Cage['idmap'] },
  { count, signal }: Watch,
): Promise<void> {
  const command = startRsyncReceiver(folder, options.features, options.idmap);
  await spendingSpace('receiving files', () => connect(channel, command, signal, { onReceived: count }));
}

async function connect(
  channel: FrameChannel,
  command: PipedCommand,
  signal: AbortSignal,
  counts: { readonly onSent?: Watch['count']; readonly onReceived?: Watch['count'] },
): Promise<void> {
  const abort = (): void => command.kill();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const sending = channel.send(command.output as AsyncIterable<Buffer>, counts.onSent);
  const receiving = feed(channel, command.input, counts.onReceived);
  for (const one of [sending, receiving]) one.catch(() => undefined);
  try {
    // The program's own word for what went wrong says more than that its pipes were cut.
    await command.ended;
    await Promise.all([sending, receiving]);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof CommandError ? describe(error) : error;
  } finally {
    signal.removeEventListener('abort', abort);
    command.kill();
  }
}

async function feed(channel: FrameChannel, input: Writable, onReceived?: Watch['count']): Promise<void> {
  try {
    for await (const chunk of channel.chunks(onReceived)) await written(input, chunk);
  } finally {
    input.end();
  }
}

/** Resolves when the chunk is no longer needed, or nobody reads it any more. */
async function written(input: Writable, chunk: Buffer): Promise<void> {
  if (!input.destroyed && !input.writableEnded)
    await new Promise<void>(resolve => void input.write(chunk, () => resolve()));
}

function describe(error: CommandError): ApiError | CommandError {
  if (error.status === vanishedStatus)
    return new ApiError(
      'failed-precondition',
      'Some files vanished while they were copied: stop the instance, or use "--allow-inconsistent"',
      { cause: error },
    );
  return error;
}
