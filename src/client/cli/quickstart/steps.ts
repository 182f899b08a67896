import type { Writable } from 'node:stream';

/** Runs named steps one after the other and shows each as it happens, with its seconds. */
export class Steps {
  readonly #out: Writable & { readonly isTTY?: boolean };

  constructor(out: Writable & { readonly isTTY?: boolean }) {
    this.#out = out;
  }

  /**
   * `work` gives what to add to the line, such as an address, and may show progress meanwhile. A failure is shown on the
   * step's line and thrown on.
   */
  async run(what: string, work: (progress: (text: string) => void) => Promise<string | undefined>): Promise<void> {
    const started = performance.now();
    this.#draft(what);
    try {
      const result = await work(text => this.#draft(`${what}: ${text}`));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      this.#final('ok', `${what}${result === undefined ? '' : `: ${result}`} (${seconds} s)`);
    } catch (error) {
      this.#final('!!', what);
      throw error;
    }
  }

  #draft(text: string): void {
    if (this.#out.isTTY) this.#out.write(`\r\u001b[K  ..  ${text.slice(0, 110)}`);
  }

  #final(mark: string, text: string): void {
    this.#out.write(`${this.#out.isTTY ? '\r\u001b[K' : ''}  ${mark}  ${text}\n`);
  }
}
