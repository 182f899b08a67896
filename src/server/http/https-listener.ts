import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ApiError } from '#api/error.ts';
import type { ServerIdentity } from '../services.ts';
import { parseAddress } from '../settings/address.ts';
import { closeServer, listen, serverOptions } from './servers.ts';

export interface HttpsListenerParts {
  /** config key that the address comes from */
  readonly key: string;
  readonly identity: ServerIdentity;
  /** gives the server its handlers */
  readonly wire: (server: Server) => void;
}

/** One HTTPS address of the API, or none. */
export class HttpsListener {
  readonly #parts: HttpsListenerParts;
  #current: { readonly server: Server; readonly address: string } | undefined;

  constructor(parts: HttpsListenerParts) {
    this.#parts = parts;
  }

  /** Listens on `host:port`, "" for nowhere. Keeps the listener in force when the new one cannot be opened. */
  async open(text: string): Promise<void> {
    if (text === (this.#current?.address ?? '')) return;
    const before = this.#current;
    if (text === '') {
      this.#current = undefined;
      await closeServer(before?.server);
      return;
    }
    const { host, port } = this.#parse(text);
    const sameHostAndPort = before && sharesPort(before.server, port);
    if (sameHostAndPort) await closeServer(before.server);
    try {
      this.#current = { server: await this.#listen(host, port), address: text };
      if (!sameHostAndPort) await closeServer(before?.server);
    } catch (error) {
      if (sameHostAndPort) await this.#reopen(before.address);
      throw error;
    }
  }

  /** Addresses that clients may use, as `host:port`; wildcard listeners are spelled out. */
  get addresses(): readonly string[] {
    const bound = this.#current?.server.address() as AddressInfo | null | undefined;
    if (!bound) return [];
    const wild = bound.address === '::' || bound.address === '0.0.0.0';
    const hosts = wild ? hostAddresses(bound.address === '0.0.0.0') : [bound.address];
    return hosts.map(host => `${host.includes(':') ? `[${host}]` : host}:${String(bound.port)}`);
  }

  async close(): Promise<void> {
    await closeServer(this.#current?.server);
  }

  async #reopen(address: string): Promise<void> {
    const { host, port } = this.#parse(address);
    this.#current = { server: await this.#listen(host, port), address };
  }

  async #listen(host: string | undefined, port: number): Promise<Server> {
    const { identity, key, wire } = this.#parts;
    const server = createServer({
      ...serverOptions,
      cert: identity.certificate,
      key: identity.key,
      requestCert: true,
      // clients are self-signed: the trust store decides, by fingerprint
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    wire(server);
    try {
      await listen(server, host === undefined ? { port } : { port, host });
    } catch (error) {
      throw new ApiError(
        'invalid-argument',
        `Cannot listen on ${key} "${host ?? ''}:${String(port)}": ${(error as Error).message}`,
        { cause: error },
      );
    }
    return server;
  }

  #parse(text: string): { readonly host: string | undefined; readonly port: number } {
    const address = parseAddress(text);
    if (!address) throw new ApiError('invalid-argument', `Invalid ${this.#parts.key} "${text}": must be host:port`);
    return address;
  }
}

function sharesPort(server: Server, port: number): boolean {
  return (server.address() as AddressInfo | null)?.port === port;
}

function hostAddresses(onlyIpv4: boolean): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap(entries => entries ?? [])
    .filter(entry => !entry.internal && !(onlyIpv4 && entry.family === 'IPv6'))
    .filter(entry => !entry.address.toLowerCase().startsWith('fe80:'))
    .map(entry => entry.address);
}
