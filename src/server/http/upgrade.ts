import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';
import { authorize, checkProject, refuseOtherOrigins, waitsForRecovery } from './access.ts';
import type { AppParts } from './app.ts';
import { toApiError } from './error-handler.ts';
import { modernTarget, PathPattern, splitTarget } from './path-pattern.ts';
import { errorEnvelope } from './reply.ts';
import { apiRequest } from './request.ts';
import type { ApiRequest, UpgradeRoute, UpgradeSocket } from './route.ts';

const keepaliveMs = 10_000;
const missedPongs = 3;
const maxMessageBytes = 16 * 2 ** 20;

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Answers HTTP upgrades of every listener by the table of upgrade routes. */
export function upgradeHandler(parts: AppParts): UpgradeHandler {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: maxMessageBytes });
  const table = parts.upgrades.map(route => ({ route, pattern: new PathPattern(route.path) }));
  return (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    void answer(parts, table, request, new PendingUpgrade(server, request, socket, head)).catch((error: unknown) => {
      const context = { method: request.method ?? '', url: request.url ?? '' };
      refuse(socket, toApiError(error, parts.services.log, context));
    });
  };
}

async function answer(
  parts: AppParts,
  table: readonly { readonly route: UpgradeRoute; readonly pattern: PathPattern }[],
  raw: IncomingMessage,
  upgrade: PendingUpgrade,
): Promise<void> {
  refuseOtherOrigins(raw, parts.services.settings);
  const { path, query } = splitTarget(modernTarget(raw.url ?? '/'));
  const found = table.find(({ pattern }) => pattern.matches(path));
  if (!found) throw new ApiError('not-found', `Path "${path}" not found`);
  const { route, pattern } = found;
  if (raw.method !== 'GET' || raw.headers.upgrade?.toLowerCase() !== route.protocol)
    throw new ApiError('invalid-argument', `"${path}" wants an upgrade to ${route.protocol}`);
  const caller = parts.authenticate(raw);
  const bare = apiRequest({ raw, params: pattern.parameters(path), query, caller, signal: upgrade.signal });
  authorize(route, bare);
  await checkProject(parts.services.database, route, bare);
  if (waitsForRecovery(path)) await parts.services.control.recovered();
  const request = Object.defineProperty(bare, 'body', { value: undefined }) as ApiRequest;
  await route.handle(parts.services, request, upgrade);
}

class PendingUpgrade implements UpgradeSocket {
  readonly #server: WebSocketServer;
  readonly #request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #controller = new AbortController();

  constructor(server: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer) {
    this.#server = server;
    this.#request = request;
    this.#socket = socket;
    this.#head = head;
    socket.once('close', () => this.#controller.abort(new ApiError('canceled', 'The client went away')));
  }

  readonly signal = (): AbortSignal => this.#controller.signal;

  async websocket(): Promise<WebSocket> {
    return await new Promise(resolve => {
      this.#server.handleUpgrade(this.#request, this.#socket, this.#head, socket => {
        socket.on('error', () => socket.terminate());
        keepAlive(socket);
        resolve(socket);
      });
    });
  }

  raw(): Duplex {
    const protocol = this.#request.headers.upgrade ?? '';
    this.#socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
    if (this.#head.length > 0) this.#socket.unshift(this.#head);
    return this.#socket;
  }
}

/** Pings every 10 s, as LXD does, and drops a peer that missed three. */
function keepAlive(socket: WebSocket): void {
  let unanswered = 0;
  const timer = setInterval(() => {
    // paused for back-pressure: its pongs wait behind what nobody reads yet
    if (socket.isPaused) unanswered = 0;
    if (unanswered >= missedPongs) {
      socket.terminate();
      return;
    }
    unanswered += 1;
    socket.ping('keepalive');
  }, keepaliveMs);
  socket.on('pong', () => (unanswered = 0));
  socket.once('close', () => clearInterval(timer));
}

function refuse(socket: Duplex, error: ApiError): void {
  if (socket.destroyed) return;
  const body = `${JSON.stringify(errorEnvelope(error))}\n`;
  socket.end(
    `HTTP/1.1 ${String(error.status)} ${STATUS_CODES[error.status] ?? 'Error'}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`,
  );
}
