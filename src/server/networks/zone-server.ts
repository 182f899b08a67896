import { ApiError } from '#api/error.ts';
import { DnsServer } from '#network/dns/server.ts';
import { parseAddress } from '../settings/address.ts';
import type { NetworkServices } from './create-network.ts';
import { zoneSource } from './zone-content.ts';

const dnsPort = 53;

/** Serves the zones of this server at core.dns_address. */
export class ZoneServer {
  readonly #services: Pick<NetworkServices, 'database' | 'networks' | 'log'>;
  #address = '';
  #server: DnsServer | undefined;

  constructor(services: Pick<NetworkServices, 'database' | 'networks' | 'log'>) {
    this.#services = services;
  }

  /** Moves to another address, or away with an empty one; rejects when it cannot, and then serves nowhere. */
  async open(address: string): Promise<void> {
    if (address === this.#address) return;
    await this.close();
    if (address === '') return;
    const { host = '::', port } = parseAddress(address, dnsPort) ?? { port: dnsPort };
    try {
      this.#server = await DnsServer.open(zoneSource(this.#services), this.#services.log, host, port);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `Cannot open "core.dns_address" at "${address}": ${reason}`;
      throw new ApiError('failed-precondition', message, { cause: error });
    }
    this.#address = address;
  }

  async close(): Promise<void> {
    this.#address = '';
    await this.#server?.close();
    this.#server = undefined;
  }
}
