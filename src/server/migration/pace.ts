import { setTimeout as sleep } from 'node:timers/promises';

/** What may pass at once: long enough that timers are exact enough, short enough that nobody sees it. */
const burstMs = 50;

/** Holds back whoever passes bytes to so many of them a second; undefined holds nobody back. */
export class Pace {
  readonly #bytesPerMs: number;
  readonly #signal: AbortSignal;
  /** when all that has passed would have passed at that speed */
  #due = performance.now();

  constructor(bytesPerSecond: number | undefined, signal: AbortSignal) {
    this.#bytesPerMs = (bytesPerSecond ?? Infinity) / 1000;
    this.#signal = signal;
  }

  /** Resolves when these bytes may pass. */
  async pass(bytes: number): Promise<void> {
    const now = performance.now();
    this.#due = Math.max(this.#due, now - burstMs) + bytes / this.#bytesPerMs;
    if (this.#due - now > burstMs) await sleep(this.#due - now, undefined, { signal: this.#signal });
  }
}
