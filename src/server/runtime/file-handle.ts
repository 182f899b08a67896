import { close, fstat, fsync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import type { FileHandle } from './runtime.ts';

const closeFile = promisify(close);
const syncFile = promisify(fsync);
const statFile = promisify(fstat);

/** A regular file of an instance by a descriptor that its file server passed. */
export class DescriptorHandle implements FileHandle {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    return await new Promise((resolve, reject) => {
      read(this.#descriptor, buffer, 0, length, offset, (error, count) =>
        error ? reject(error) : resolve(buffer.subarray(0, count)),
      );
    });
  }

  async write(offset: number, content: Buffer): Promise<void> {
    for (let done = 0; done < content.length;) {
      done += await new Promise<number>((resolve, reject) => {
        write(this.#descriptor, content, done, content.length - done, offset + done, (error, count) =>
          error ? reject(error) : resolve(count),
        );
      });
    }
  }

  async size(): Promise<number> {
    return (await statFile(this.#descriptor)).size;
  }

  async sync(): Promise<void> {
    await syncFile(this.#descriptor);
  }

  async close(): Promise<void> {
    await closeFile(this.#descriptor);
  }
}
