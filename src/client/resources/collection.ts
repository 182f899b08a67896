import { ApiError } from '#api/error.ts';
import { OperationHandle } from '../operation-handle.ts';
import type { CallOptions, Query, Transport } from '../transport.ts';

/** An object together with the ETag that guards its next change. */
export interface Tagged<T> {
  readonly value: T;
  readonly etag: string | undefined;
}

/** What a change answers: an operation to wait for, or undefined when it is done. */
export type Change = Promise<OperationHandle | undefined>;

/** Objects of one kind below one path, all with LXD's verbs. */
export class Collection<T, Post = unknown, Put = unknown> {
  readonly transport: Transport;
  readonly #root: string;

  constructor(transport: Transport, root: string) {
    this.transport = transport;
    this.#root = root;
  }

  path(name: string): string {
    return `${this.#root}/${encodeURIComponent(name)}`;
  }

  async list(query: Query = {}): Promise<readonly T[]> {
    const { metadata } = await this.transport.call<T[] | null>('GET', this.#root, {
      query: { recursion: 1, ...query },
    });
    return metadata ?? [];
  }

  /** Names only: cheaper than `list()`. */
  async names(query: Query = {}): Promise<readonly string[]> {
    const { metadata } = await this.transport.call<string[] | null>('GET', this.#root, { query });
    return (metadata ?? []).map(url => decodeURIComponent((url.split('?')[0] ?? '').slice(this.#root.length + 1)));
  }

  async get(name: string, query: Query = {}): Promise<T> {
    return (await this.tagged(name, query)).value;
  }

  async tagged(name: string, query: Query = {}): Promise<Tagged<T>> {
    const { metadata, etag } = await this.transport.call<T>('GET', this.path(name), { query });
    return { value: metadata, etag };
  }

  /** Undefined when there is no such object. */
  async find(name: string): Promise<T | undefined> {
    try {
      return await this.get(name);
    } catch (error) {
      if (ApiError.is(error, 'not-found')) return undefined;
      throw error;
    }
  }

  create(object: Post, query: Query = {}): Change {
    return this.change('POST', this.#root, { body: object, query });
  }

  replace(name: string, object: Put, etag?: string, query: Query = {}): Change {
    return this.change('PUT', this.path(name), { body: object, ifMatch: etag, query });
  }

  rename(name: string, newName: string): Change {
    return this.change('POST', this.path(name), { body: { name: newName } });
  }

  delete(name: string, query: Query = {}): Change {
    return this.change('DELETE', this.path(name), { query });
  }

  protected async change(method: string, path: string, options: CallOptions = {}): Change {
    const { operation } = await this.transport.call(method, path, options);
    return operation && new OperationHandle(this.transport, operation);
  }
}
