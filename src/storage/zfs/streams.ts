import { PassThrough } from 'node:stream';
import { runCommand } from '#base/run-command.ts';

const dayMs = 24 * 3600 * 1000;

/** Runs two commands of zfs(8), the output of the first being the input of the second. The first failure ends both. */
export async function pipeStream(from: readonly string[], to: readonly string[], signal?: AbortSignal): Promise<void> {
  const stream = new PassThrough({ highWaterMark: 2 ** 20 });
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const watched = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const options = { timeoutMs: dayMs, signal: either };
  const sending = runCommand('zfs', from, { ...options, output: stream }).then(() => stream.end());
  const receiving = runCommand('zfs', to, { ...options, input: stream });
  const results = await Promise.allSettled([watched(sending), watched(receiving)]);
  const reason: unknown = failed.signal.aborted ? failed.signal.reason : undefined;
  if (results.some(result => result.status === 'rejected')) throw reason;
}
