import type { FileInfo } from '#api/file.ts';
import type { RawAnswer } from '../http.ts';
import { type CallOptions, readAll, type Transport } from '../transport.ts';

/** Files of an instance, or of a snapshot of it, which cannot be changed. */
export class InstanceFiles {
  readonly #transport: Transport;
  readonly #path: string;

  /** `owner` is the path of the instance or the snapshot */
  constructor(transport: Transport, owner: string) {
    this.#transport = transport;
    this.#path = `${owner}/files`;
  }

  get(path: string): Promise<RawAnswer> {
    return this.#transport.download(this.#path, { query: { path } });
  }

  /** What is in a folder, or the file that is there; names alone from servers that tell no more. */
  async list(path: string): Promise<readonly FileInfo[] | readonly string[]> {
    const answer = await this.#transport.download(this.#path, { query: { path, recursion: 1 } });
    if (answer.headers['content-type']?.startsWith('application/json') !== true) {
      await answer.body[Symbol.asyncIterator]().return?.();
      return [path];
    }
    const { metadata } = JSON.parse(await readAll(answer.body)) as {
      metadata: readonly FileInfo[] | readonly string[];
    };
    return metadata;
  }

  async put(path: string, options: CallOptions): Promise<void> {
    await this.#transport.call('POST', this.#path, { ...options, query: { path } });
  }

  async delete(path: string): Promise<void> {
    await this.#transport.call('DELETE', this.#path, { query: { path } });
  }
}
