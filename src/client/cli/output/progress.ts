import { printable } from './terminal.ts';

/** One line on a terminal that is written over while work goes on. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #shown = '';

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(text: string): void {
    const line = printable(text)
      .replace(/\n/g, ' ')
      .slice(0, Math.max(10, this.#stream.columns - 1));
    if (line === this.#shown) return;
    this.#stream.write(`\r\u001b[K${line}`);
    this.#shown = line;
  }

  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[K');
    this.#shown = '';
  }
}

/** What an operation's metadata says about its progress: our step and percent, or LXD's `…_progress` texts. */
export function progressText(title: string, metadata: Readonly<Record<string, unknown>> | null): string {
  const parts: string[] = [];
  if (typeof metadata?.['step'] === 'string') parts.push(metadata['step']);
  if (typeof metadata?.['percent'] === 'number') parts.push(`${String(metadata['percent'])}%`);
  for (const [key, value] of Object.entries(metadata ?? {})) {
    if (key.endsWith('_progress') && typeof value === 'string') parts.push(value);
  }
  const text = parts.join(' ');
  return title && text ? `${title}: ${text}` : title || text;
}
