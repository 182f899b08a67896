import type { Log } from './log.ts';

interface UndoStep {
  readonly what: string;
  readonly undo: () => Promise<void> | void;
}

/** Undo steps for a change over several resources; run newest first unless the change commits. */
export class Revert implements AsyncDisposable {
  readonly #log: Log;
  #steps: UndoStep[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** `what` names the step that is undone, such as "mounting the root volume". */
  add(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  commit(): void {
    this.#steps = [];
  }

  /** Hands the undo steps to a caller that carries on with the same change. */
  transfer(): Revert {
    const next = new Revert(this.#log);
    next.#steps = this.#steps;
    this.#steps = [];
    return next;
  }

  /** Never throws: a failed undo must not hide the error that caused it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step.undo();
      } catch (error) {
        this.#log.error(`Failed undoing ${step.what}`, { error });
      }
    }
  }
}
