/** A lock that is held; disposing it (or `release`) lets the next one in. May be released twice. */
export interface HeldLock extends Disposable {
  release(): void;
}

interface Queue {
  holder: string;
  waiting: { readonly action: string; readonly grant: () => void }[];
}

/** Exclusive locks by key, in memory, first come first served. */
export class KeyedLock {
  readonly #queues = new Map<string, Queue>();

  /** Takes the lock now, or returns undefined when somebody holds it. `action` says what for. */
  tryHold(key: string, action: string): HeldLock | undefined {
    if (this.#queues.has(key)) return undefined;
    this.#queues.set(key, { holder: action, waiting: [] });
    return this.#held(key);
  }

  /** Waits for its turn. Rejects with the signal's reason when aborted while waiting. */
  async hold(key: string, action: string, signal?: AbortSignal): Promise<HeldLock> {
    const free = this.tryHold(key, action);
    if (free) return free;
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const queue = this.#queues.get(key);
      if (!queue) throw new Error(`Lock "${key}" has no queue`);
      const entry = { action, grant: settle };
      const abort = (): void => {
        queue.waiting.splice(queue.waiting.indexOf(entry), 1);
        reject(signal?.reason as Error);
      };
      function settle(): void {
        signal?.removeEventListener('abort', abort);
        resolve();
      }
      signal?.addEventListener('abort', abort, { once: true });
      queue.waiting.push(entry);
    });
    return this.#held(key);
  }

  /** What the current holder does, or undefined when the lock is free. */
  holder(key: string): string | undefined {
    return this.#queues.get(key)?.holder;
  }

  #held(key: string): HeldLock {
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      this.#next(key);
    };
    return { release, [Symbol.dispose]: release };
  }

  #next(key: string): void {
    const queue = this.#queues.get(key);
    const next = queue?.waiting.shift();
    if (!queue || !next) {
      this.#queues.delete(key);
      return;
    }
    queue.holder = next.action;
    next.grant();
  }
}
