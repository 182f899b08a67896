import type { Log } from '#base/log.ts';

/** Deletions that go on after their method has answered. Their owner settles them before it closes. */
export class Background {
  readonly #log: Log;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** A failure is logged: what is left bears a temporary name, and the next mountPool tries again. */
  add(what: string, work: () => Promise<void>): void {
    const running = work().catch((error: unknown) => this.#log.warning(`Failed ${what}`, { error }));
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
