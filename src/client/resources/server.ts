import type { ConfigMap } from '#api/common.ts';
import type { Server } from '#api/server.ts';
import type { Transport } from '../transport.ts';
import type { Tagged } from './collection.ts';

export class ServerResource {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async get(): Promise<Tagged<Server>> {
    const { metadata, etag } = await this.transport.call<Server>('GET', '/1.0');
    return { value: metadata, etag };
  }

  async replaceConfig(config: ConfigMap, etag?: string): Promise<void> {
    await this.transport.call('PUT', '/1.0', { body: { config }, ifMatch: etag });
  }

  /** Changes these keys and leaves the others; an empty value unsets. */
  async patchConfig(config: ConfigMap): Promise<void> {
    await this.transport.call('PATCH', '/1.0', { body: { config } });
  }

  async resources(): Promise<unknown> {
    return (await this.transport.call('GET', '/1.0/resources')).metadata;
  }
}
