import { readSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { kernel } from '#native/kernel.ts';

/** Our side of a pseudo-terminal as two streams. */
export class Terminal {
  /** ends when the last program closed its side */
  readonly stdout: Readable;
  /** ending it sends nothing: a terminal has no end of input of its own */
  readonly stdin: Writable;
  readonly #master: number;
  readonly #stream: ReadStream;
  #closed = false;

  /** Takes over the master's descriptor. */
  constructor(master: number) {
    this.#master = master;
    const stream = (this.#stream = new ReadStream(master));
    this.stdout = new Readable({
      read: () => void stream.resume(),
      destroy: (error, done) => {
        this.close();
        done(error);
      },
    });
    stream.on('data', chunk => this.stdout.push(chunk) || stream.pause());
    stream.on('end', () => this.#drain());
    stream.on('close', () => this.#end());
    // The kernel says EIO instead of an end when the last program closed the terminal (pty(7)).
    stream.on('error', () => this.#end());
    this.stdin = new Writable({ write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done) });
    this.stdin.on('error', () => undefined);
  }

  resize(columns: number, rows: number): void {
    if (!this.#closed) kernel.setWindowSize(this.#master, columns, rows);
  }

  /** Hangs up: programs that still have the terminal get SIGHUP. May be called twice. */
  close(): void {
    this.#closed = true;
    this.#stream.destroy();
  }

  #write(chunk: Buffer, done: (error?: Error | null) => void): void {
    if (this.#closed) return done();
    // Nobody reads what is typed after the last program ended.
    this.#stream.write(chunk, () => done());
  }

  /** libuv takes a hang-up for the end although the kernel still holds output; the descriptor is open until 'close'. */
  #drain(): void {
    const buffer = Buffer.allocUnsafe(65_536);
    try {
      for (let length = 1; length > 0 && !this.#closed;) {
        length = readSync(this.#master, buffer);
        this.stdout.push(Buffer.from(buffer.subarray(0, length)));
      }
    } catch {
      // EIO: that was all
    }
  }

  #end(): void {
    this.#closed = true;
    if (!this.stdout.readableEnded && !this.stdout.destroyed) this.stdout.push(null);
  }
}
