import type { ImageMetadata, ImageMetadataPut } from '#api/image-metadata.ts';
import { readAll, type Transport } from '../transport.ts';
import type { Tagged } from './collection.ts';

/** What the image of one instance says of itself, and the templates of files in it. */
export class InstanceMetadata {
  readonly #transport: Transport;
  readonly #path: string;

  /** `instance` is the path of the instance */
  constructor(transport: Transport, instance: string) {
    this.#transport = transport;
    this.#path = `${instance}/metadata`;
  }

  async get(): Promise<Tagged<ImageMetadata>> {
    const { metadata, etag } = await this.#transport.call<ImageMetadata>('GET', this.#path);
    return { value: metadata, etag };
  }

  async replace(put: ImageMetadataPut, etag?: string): Promise<void> {
    await this.#transport.call('PUT', this.#path, { body: put, ifMatch: etag });
  }

  /** Names of the templates. */
  async templates(): Promise<readonly string[]> {
    return (await this.#transport.call<string[] | null>('GET', `${this.#path}/templates`)).metadata ?? [];
  }

  async template(name: string): Promise<string> {
    const { body } = await this.#transport.download(`${this.#path}/templates`, { query: { path: name } });
    return await readAll(body);
  }

  async saveTemplate(name: string, content: string): Promise<void> {
    const options = { query: { path: name }, upload: Buffer.from(content) };
    await this.#transport.call('POST', `${this.#path}/templates`, options);
  }

  async deleteTemplate(name: string): Promise<void> {
    await this.#transport.call('DELETE', `${this.#path}/templates`, { query: { path: name } });
  }
}
