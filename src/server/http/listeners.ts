import { chmod, chown, rename, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenAddresses, ServerIdentity } from '../services.ts';
import type { App } from './app.ts';
import { HttpsListener } from './https-listener.ts';
import { splitTarget } from './path-pattern.ts';
import { closeServer, listen, serverOptions } from './servers.ts';
import type { UpgradeHandler } from './upgrade.ts';

interface ListenerParts {
  readonly app: App;
  readonly upgrade: UpgradeHandler;
  readonly identity: ServerIdentity;
}

/** What the metrics address answers; everything else is not found there. */
const metricsPaths: ReadonlySet<string> = new Set(['/', '/1.0', '/1.0/metrics']);

/** Where one API is served: the unix socket, the HTTPS address, and an address for metrics alone. */
export class Listeners {
  readonly #parts: ListenerParts;
  readonly #https: HttpsListener;
  readonly #metrics: HttpsListener;
  #unix: Server | undefined;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    const { identity } = parts;
    this.#https = new HttpsListener({ key: 'core.https_address', identity, wire: server => this.#wire(server) });
    this.#metrics = new HttpsListener({
      key: 'core.metrics_address',
      identity,
      wire: server => limitTimes(server).on('request', this.#handleMetrics),
    });
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

  /** Moves both HTTPS listeners; an address that cannot be opened leaves its listener where it was. */
  async openHttps({ https, metrics }: ListenAddresses): Promise<void> {
    await this.#https.open(https);
    await this.#metrics.open(metrics);
  }

  /** Addresses that clients may use, as `host:port`. */
  get addresses(): readonly string[] {
    return this.#https.addresses;
  }

  async close(): Promise<void> {
    await Promise.all([closeServer(this.#unix), this.#https.close(), this.#metrics.close()]);
  }

  readonly #handleMetrics = (request: IncomingMessage, response: ServerResponse): void => {
    if (metricsPaths.has(splitTarget(request.url ?? '/').path)) this.#parts.app.handle(request, response);
    else response.writeHead(404).end();
  };

  #wire<T extends Server>(server: T): T {
    limitTimes(server).on('request', this.#parts.app.handle);
    server.on('upgrade', this.#parts.upgrade);
    return server;
  }
}

function limitTimes<T extends Server>(server: T): T {
  server.requestTimeout = 0; // uploads take as long as they take
  server.headersTimeout = 10_000;
  return server;
}
