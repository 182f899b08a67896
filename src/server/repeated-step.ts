import type { Log } from '#base/log.ts';

interface RepeatedStepOptions {
  /** such as "deleting expired snapshots" */
  readonly what: string;
  readonly run: () => Promise<void>;
  /** milliseconds between the start of two passes; a pass that takes longer delays the next */
  readonly everyMs: number;
  readonly log: Log;
}

/** Work that comes round until it is closed; a pass that fails is logged and the next one runs. */
export class RepeatedStep {
  readonly #timer: NodeJS.Timeout;
  #pass: Promise<void> | undefined;

  constructor({ what, run, everyMs, log }: RepeatedStepOptions) {
    const pass = async (): Promise<void> => {
      try {
        await run();
      } catch (error) {
        log.error(`Failed ${what}`, { error });
      }
      this.#pass = undefined;
    };
    this.#timer = setInterval(() => {
      this.#pass ??= pass();
    }, everyMs);
    this.#timer.unref();
  }

  /** Resolves when no pass runs any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pass;
  }
}
