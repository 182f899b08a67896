import { ApiError } from '#api/error.ts';
import type { Image, ImageAliasEntry, ImagePut } from '#api/image.ts';
import type { RawAnswer } from '../http.ts';
import type { CallOptions, Transport } from '../transport.ts';
import { type Change, Collection } from './collection.ts';

export class Images extends Collection<Image, Readonly<Record<string, unknown>>, ImagePut> {
  constructor(transport: Transport) {
    super(transport, '/1.0/images');
  }

  get aliases(): Collection<
    ImageAliasEntry,
    { readonly name: string; readonly target: string; readonly description: string }
  > {
    return new Collection(this.transport, '/1.0/images/aliases');
  }

  /** Fingerprint of an image named by alias or by the start of its fingerprint. */
  async resolve(reference: string): Promise<string> {
    const alias = await this.aliases.find(reference);
    if (alias) return alias.target;
    if (!/^[0-9a-f]{2,64}$/.test(reference)) throw new ApiError('not-found', `Image "${reference}" not found`);
    return (await this.get(reference)).fingerprint;
  }

  upload(options: CallOptions): Change {
    return this.change('POST', '/1.0/images', options);
  }

  refresh(fingerprint: string): Change {
    return this.change('POST', `${this.path(fingerprint)}/refresh`);
  }

  /** Has the server send an image to another one. */
  push(fingerprint: string, order: Readonly<Record<string, unknown>>): Change {
    return this.change('POST', `${this.path(fingerprint)}/export`, { body: order });
  }

  /** A secret with which a stranger may read the image. */
  async secret(fingerprint: string): Promise<string> {
    const { operation } = await this.transport.call('POST', `${this.path(fingerprint)}/secret`);
    const secret = operation?.metadata?.['secret'];
    if (typeof secret !== 'string') throw new ApiError('unsupported', 'The server gives no secrets for images');
    return secret;
  }

  exported(fingerprint: string): Promise<RawAnswer> {
    return this.transport.download(`${this.path(fingerprint)}/export`);
  }
}
