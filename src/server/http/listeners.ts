import { chmod, chown, rename, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ApiError } from '#api/error.ts';
import type { ServerIdentity } from '../services.ts';
import { parseAddress } from '../settings/address.ts';
import type { App } from './app.ts';
import type { UpgradeHandler } from './upgrade.ts';

const serverOptions = { keepAliveTimeout: 30_000, connectionsCheckingInterval: 5000 };

interface ListenerParts {
  readonly app: App;
  readonly upgrade: UpgradeHandler;
  readonly identity: ServerIdentity;
}

/** The unix socket and the HTTPS address of one API. */
export class Listeners {
  readonly #parts: ListenerParts;
  #unix: Server | undefined;
  #https: { readonly server: Server; readonly address: string } | undefined;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  /** Listens on a unix socket that root and `gid` may open; a stale socket file is replaced. */
  async openUnix(file: string, gid: number): Promise<void> {
    const server = this.#wire(createServer(serverOptions));
    const fresh = `${file}.new`;
    await rm(fresh, { force: true });
    await listen(server, { path: fresh });
    // the socket appears under its name only when its permissions are right
    await chown(fresh, process.getuid?.() ?? 0, gid);
    await chmod(fresh, 0o660);
    await rename(fresh, file);
    this.#unix = server;
  }

  /** Listens on `host:port`, "" for nowhere. Keeps the listener in force when the new one cannot be opened. */
  async openHttps(text: string): Promise<void> {
    if (text === (this.#https?.address ?? '')) return;
    const before = this.#https;
    if (text === '') {
      this.#https = undefined;
      await close(before?.server);
      return;
    }
    const { host, port } = addressOf(text);
    const sameHostAndPort = before && sharesPort(before.server, port);
    if (sameHostAndPort) await close(before.server);
    try {
      this.#https = { server: await this.#listenHttps(host, port), address: text };
      if (!sameHostAndPort) await close(before?.server);
    } catch (error) {
      if (sameHostAndPort) await this.#reopen(before.address);
      throw error;
    }
  }

  /** Addresses that clients may use, as `host:port`; wildcard listeners are spelled out. */
  get addresses(): readonly string[] {
    const bound = this.#https?.server.address() as AddressInfo | null | undefined;
    if (!bound) return [];
    const wild = bound.address === '::' || bound.address === '0.0.0.0';
    const hosts = wild ? hostAddresses(bound.address === '0.0.0.0') : [bound.address];
    return hosts.map(host => `${host.includes(':') ? `[${host}]` : host}:${String(bound.port)}`);
  }

  async close(): Promise<void> {
    await Promise.all([close(this.#unix), close(this.#https?.server)]);
  }

  async #reopen(address: string): Promise<void> {
    const { host, port } = addressOf(address);
    this.#https = { server: await this.#listenHttps(host, port), address };
  }

  async #listenHttps(host: string | undefined, port: number): Promise<Server> {
    const { certificate, key } = this.#parts.identity;
    const server = createTlsServer({
      ...serverOptions,
      cert: certificate,
      key,
      requestCert: true,
      // clients are self-signed: the trust store decides, by fingerprint
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    this.#wire(server);
    try {
      await listen(server, host === undefined ? { port } : { port, host });
    } catch (error) {
      throw new ApiError(
        'invalid-argument',
        `Cannot listen on core.https_address "${host ?? ''}:${String(port)}": ${(error as Error).message}`,
        { cause: error },
      );
    }
    return server;
  }

  #wire<T extends Server>(server: T): T {
    server.requestTimeout = 0; // uploads take as long as they take
    server.headersTimeout = 10_000;
    server.on('request', this.#parts.app.handle);
    server.on('upgrade', this.#parts.upgrade);
    return server;
  }
}

function addressOf(text: string): { readonly host: string | undefined; readonly port: number } {
  const address = parseAddress(text);
  if (!address) throw new ApiError('invalid-argument', `Invalid address "${text}": must be host:port`);
  return address;
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

async function listen(server: Server, where: { path: string } | { port: number; host?: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Takes no new connections and ends idle ones; requests under way may finish. */
async function close(server: Server | undefined): Promise<void> {
  if (!server) return;
  await new Promise<void>(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), 500);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
