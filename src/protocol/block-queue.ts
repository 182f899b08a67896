const blockBytes = 256 * 1024;
/** Entries that may wait before the peer is asked to. */
const maxWaiting = 4;

type Entry = { readonly block: Buffer; length: number } | 'end';

/** Bytes between who receives them and who works on them, in blocks of memory that are used again and again. */
export class BlockQueue {
  readonly #entries: Entry[] = [];
  readonly #free: Buffer[] = [];
  readonly #flow: { full(): void; wanting(): void };
  #failure: Error | undefined;
  #isFull = false;
  #isWaiting = false;
  #wake: () => void = () => undefined;

  /** `full` says that nothing more should come until `wanting` is called. */
  constructor(flow: { full(): void; wanting(): void }) {
    this.#flow = flow;
  }

  /** Copies the bytes. */
  push(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0;) {
      const entry = this.#filling();
      const taken = rest.copy(entry.block, entry.length);
      entry.length += taken;
      rest = rest.subarray(taken);
    }
    this.#told();
  }

  /** Marks the end of a stream. */
  end(): void {
    this.#entries.push('end');
    this.#told();
  }

  /** Nothing more will come; what has come is still given out. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#told();
  }

  /** What has come of one stream, each chunk only until the next one is asked for. */
  async *chunks(onBytes?: (bytes: number) => void): AsyncGenerator<Buffer> {
    for (;;) {
      const entry = await this.#next();
      if (entry === 'end') return;
      onBytes?.(entry.length);
      try {
        yield entry.block.subarray(0, entry.length);
      } finally {
        if (this.#free.length < maxWaiting) this.#free.push(entry.block);
      }
    }
  }

  async #next(): Promise<Entry> {
    for (;;) {
      const entry = this.#entries.shift();
      if (this.#isFull && this.#entries.length < maxWaiting / 2) {
        this.#isFull = false;
        this.#flow.wanting();
      }
      if (entry) return entry;
      if (this.#failure) throw this.#failure;
      this.#isWaiting = true;
      await new Promise<void>(resolve => (this.#wake = resolve));
      this.#isWaiting = false;
    }
  }

  #filling(): Exclude<Entry, 'end'> {
    const last = this.#entries.at(-1);
    if (last && last !== 'end' && last.length < blockBytes) return last;
    const entry = { block: this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes), length: 0 };
    this.#entries.push(entry);
    return entry;
  }

  /** Wakes a reader that waits once all that lies ready has come, so that it does not get it in crumbs. */
  #told(): void {
    if (!this.#isFull && this.#entries.length >= maxWaiting) {
      this.#isFull = true;
      this.#flow.full();
    }
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    setImmediate(() => this.#wake());
  }
}
