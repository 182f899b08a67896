import type { Log } from '#base/log.ts';
import type { StoppedEvent } from './runtime.ts';

/** Tells listeners of containers that ended; one that fails does not keep it from the others. */
export class StopNotices {
  readonly #log: Log;
  readonly #listeners: ((event: StoppedEvent) => void)[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(listener: (event: StoppedEvent) => void): void {
    this.#listeners.push(listener);
  }

  tell(event: StoppedEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error('A listener for stopped containers failed', { id: event.id, error });
      }
    }
  }
}
