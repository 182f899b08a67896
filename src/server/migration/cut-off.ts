import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { explanationMs } from '#protocol/control-channel.ts';
import type { FrameChannel } from '#protocol/frame-channel.ts';

/** The connection broke, and these snapshots are here whole: a transfer that goes on need not bring them again. */
export class CutOff extends ApiError {
  readonly snapshots: readonly string[];

  constructor(snapshots: readonly string[], cause: unknown) {
    super('unavailable', 'The connection to the other server was lost', { cause });
    this.snapshots = snapshots;
  }
}

/** Whether a transfer failed because nothing more comes, and not because either side had a reason to end it. */
export async function wasCutOff(error: unknown, fs: FrameChannel, signal: AbortSignal): Promise<boolean> {
  // A source that fails closes its channels and says why in no certain order.
  if (!signal.aborted && fs.isLost) await sleep(explanationMs, undefined, { signal }).catch(() => undefined);
  return signal.aborted ? ApiError.is(signal.reason, 'unavailable') : fs.isLost || ApiError.is(error, 'unavailable');
}
