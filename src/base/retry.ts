import { setTimeout as sleep } from 'node:timers/promises';

/** Asks `probe` every `intervalMs` until it gives a value; undefined when `timeoutMs` has passed first. */
export async function poll<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  options: { readonly timeoutMs: number; readonly intervalMs: number; readonly signal?: AbortSignal },
): Promise<T | undefined> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() >= end) return undefined;
    await sleep(options.intervalMs);
  }
}
