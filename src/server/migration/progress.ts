const megabyte = 1_000_000;

/** Bytes of one transfer, told as LXD tells them: "web: 12.30MB (4.50MB/s)". */
export class Progress {
  readonly #name: string;
  readonly #target: { update(metadata: Readonly<Record<string, unknown>>): void };
  readonly #started = performance.now();
  #bytes = 0;
  #told = 0;

  constructor(name: string, target: { update(metadata: Readonly<Record<string, unknown>>): void }) {
    this.#name = name;
    this.#target = target;
  }

  get bytes(): number {
    return this.#bytes;
  }

  readonly count = (bytes: number): void => {
    this.#bytes += bytes;
    const now = performance.now();
    if (now - this.#told < 200) return;
    this.#told = now;
    const seconds = (now - this.#started) / 1000;
    const speed = seconds > 0 ? this.#bytes / seconds : 0;
    this.#target.update({ fs_progress: `${this.#name}: ${readable(this.#bytes)} (${readable(speed)}/s)` });
  };
}

function readable(bytes: number): string {
  if (bytes < 1000) return `${bytes.toFixed(0)}B`;
  if (bytes < megabyte) return `${(bytes / 1000).toFixed(2)}kB`;
  return bytes < 1000 * megabyte ? `${(bytes / megabyte).toFixed(2)}MB` : `${(bytes / 1000 / megabyte).toFixed(2)}GB`;
}
