import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** bytes that are expected; 0 = unknown */
  readonly total: number;
  /** such as "rootfs: "; empty = none */
  readonly prefix?: string;
  readonly onProgress: (text: string) => void;
}

const silenceMs = 60_000;
const reportMs = 200;

/** Passes a download on, tells how far it is, and ends it when nothing comes for a minute or it is cancelled. */
export async function* watched(body: AsyncIterable<Uint8Array>, options: WatchOptions): AsyncGenerator<Buffer> {
  const { signal } = options;
  const source = body[Symbol.asyncIterator]();
  const started = performance.now();
  let reported = started;
  let size = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await inTime(source.next(), signal);
      if (done === true) return;
      size += value.length;
      const now = performance.now();
      if (now - reported >= reportMs || size === options.total) {
        reported = now;
        options.onProgress(progressText(size, now - started, options));
      }
      yield Buffer.isBuffer(value) ? value : Buffer.from(value);
    }
  } finally {
    // not waited for: a server that is silent would keep us
    void source.return?.(undefined).catch(() => undefined);
  }
}

/** As LXD words it. */
function progressText(size: number, ms: number, { total, prefix = '' }: WatchOptions): string {
  const part = total > 0 ? `${String(Math.min(100, Math.floor((size * 100) / total)))}%` : formatSize(size);
  return `${prefix}${part} (${formatSize(Math.floor(size / Math.max(0.001, ms / 1000)))}/s)`;
}

async function inTime<T>(next: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  const failure = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ApiError('unavailable', 'The image server fell silent')), silenceMs);
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([next, failure]);
  } catch (error) {
    next.catch(() => undefined);
    if (signal.aborted) throw signal.reason;
    if (ApiError.is(error)) throw error;
    const { message } = error as Error;
    throw new ApiError('unavailable', `The image server broke off: ${message}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
