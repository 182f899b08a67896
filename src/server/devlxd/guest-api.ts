import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { ApiError } from '#api/error.ts';
import type { Services } from '../services.ts';
import { type Answer, answerGuest } from './answers.ts';
import { containerOfPeer, loadGuest } from './guest.ts';
import { eventKinds, followGuest } from './guest-events.ts';

type Uses = Pick<Services, 'database' | 'events' | 'runtime' | 'paths' | 'log'>;

/** Connections that one container may hold. */
const maxConnections = 64;
/** Bytes of events that a guest may leave unread. */
const maxQueuedBytes = 2 ** 20;
const headersDeadlineMs = 5000;

/**
 * Serves the guests' API on a socket in a folder that containers have as /dev/lxd. Containers that run while the daemon
 * is exchanged find the new socket in the same folder. Who asks is decided once per connection, by the kernel.
 */
export async function openGuestApi(services: Uses): Promise<void> {
  const callers = new WeakMap<Socket, string>();
  const counts = new Map<string, number>();
  const server = createServer({
    headersTimeout: headersDeadlineMs,
    requestTimeout: 2 * headersDeadlineMs,
    keepAliveTimeout: headersDeadlineMs,
    connectionsCheckingInterval: 1000,
  });
  server.on('connection', socket => {
    const container = containerOfPeer(services, socket);
    const count = counts.get(container ?? '') ?? 0;
    if (container === undefined || count >= maxConnections) return void socket.destroy();
    callers.set(socket, container);
    counts.set(container, count + 1);
    socket.once('close', () => {
      const left = (counts.get(container) ?? 1) - 1;
      if (left > 0) counts.set(container, left);
      else counts.delete(container);
    });
  });
  const callerOf = (socket: Duplex): string => callers.get(socket as Socket) ?? '';
  server.on('request', (request, response) => {
    handle(services, callerOf(request.socket), request, response).catch((error: unknown) =>
      refuse(services, response, error),
    );
  });
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 4096 });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    upgrade(services, callerOf(socket), request, () => accept(websockets, request, socket, head)).catch(() =>
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
    );
  });
  await listen(server, path.join(services.paths.guestApi, 'sock'));
}

async function handle(
  services: Uses,
  caller: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://guest');
  if (request.method !== 'GET') throw new ApiError('unsupported', `method "${request.method ?? ''}" not allowed`);
  const guest = await loadGuest(services, caller);
  if (pathname !== '/1.0/events') return await send(response, await answerGuest(services, guest, pathname));
  const kinds = eventKinds(searchParams.get('type'));
  request.socket.setTimeout(0);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const stop = followGuest(services, caller, guest, kinds, line => {
    if (response.writableLength > maxQueuedBytes) response.destroy();
    else response.write(`${line}\n`);
  });
  response.once('close', stop);
}

async function upgrade(
  services: Uses,
  caller: string,
  request: IncomingMessage,
  complete: () => Promise<WebSocket>,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://guest');
  if (pathname !== '/1.0/events') throw new ApiError('not-found', 'not found');
  const kinds = eventKinds(searchParams.get('type'));
  const guest = await loadGuest(services, caller);
  const socket = await complete();
  const stop = followGuest(services, caller, guest, kinds, line => {
    if (socket.bufferedAmount > maxQueuedBytes) socket.terminate();
    else socket.send(line);
  });
  socket.on('error', () => socket.terminate());
  socket.once('close', stop);
}

async function accept(
  websockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<WebSocket> {
  return await new Promise(resolve => websockets.handleUpgrade(request, socket, head, resolve));
}

async function send(response: ServerResponse, answer: Answer): Promise<void> {
  if (answer.kind === 'file') {
    response.writeHead(200, answer.file.headers);
    await pipeline(answer.file.body, response).catch(() => response.destroy());
    return;
  }
  const isJson = answer.kind === 'json';
  response.writeHead(200, { 'content-type': isJson ? 'application/json' : 'application/octet-stream' });
  response.end(isJson ? `${JSON.stringify(answer.value)}\n` : answer.text);
}

function refuse(services: Uses, response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const known = error instanceof ApiError || error instanceof URIError || error instanceof TypeError;
  if (!known) services.log.error('Failed answering a guest', { error });
  const status = error instanceof ApiError ? error.status : known ? 400 : 500;
  response.writeHead(status === 501 ? 405 : status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${error instanceof ApiError ? error.message : 'bad request'}\n`);
}

/** The socket appears under its name when everybody may open it. */
async function listen(server: Server, file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
  await rm(`${file}.new`, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: `${file}.new` }, resolve);
  });
  await chmod(`${file}.new`, 0o666);
  await rename(`${file}.new`, file);
  server.unref();
}
