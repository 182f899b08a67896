import type { Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import type { PipedCommand } from '#base/piped-command.ts';
import type { FrameChannel } from './frame-channel.ts';

/** How long a program may take to put away what it has when its peer is gone. */
const patienceMs = 5000;

export interface ByteCounts {
  readonly onSent?: (bytes: number) => void;
  readonly onReceived?: (bytes: number) => void;
}

/**
 * Joins a program to a channel: one stream in each direction. Resolves when the program has ended well and both are
 * through; what fails ends the program.
 */
export async function carryCommand(
  channel: FrameChannel,
  command: PipedCommand,
  signal: AbortSignal,
  counts: ByteCounts = {},
): Promise<void> {
  const abort = (): void => {
    // An rsync whose input ends keeps the half of a file that it has; the next attempt goes on with that.
    command.input.end();
    if (!ApiError.is(signal.reason, 'unavailable')) command.kill();
    else setTimeout(() => command.kill(), patienceMs).unref();
  };
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
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    command.kill();
  }
}

async function feed(channel: FrameChannel, input: Writable, onReceived?: ByteCounts['onReceived']): Promise<void> {
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
