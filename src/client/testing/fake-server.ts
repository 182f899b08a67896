import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import { Transport } from '../transport.ts';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answerer = (request: SeenRequest, response: ServerResponse) => void;

/** A server on a unix socket that answers as a test says. */
export class FakeServer {
  readonly seen: SeenRequest[] = [];
  readonly folder = mkdtempSync(path.join(tmpdir(), 'lxd-like-fake-'));
  readonly socketPath = path.join(this.folder, 'unix.socket');
  readonly #server: Server;

  private constructor(answer: Answerer, accept: (socket: WebSocket, url: string) => void) {
    const sockets = new WebSocketServer({ noServer: true });
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const seen = { method, url, headers, body: Buffer.concat(chunks).toString() };
        this.seen.push(seen);
        answer(seen, response);
      });
    });
    this.#server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, opened => accept(opened, request.url ?? ''));
    });
  }

  static async start(
    answer: Answerer,
    accept: (socket: WebSocket, url: string) => void = socket => socket.close(),
  ): Promise<FakeServer> {
    const fake = new FakeServer(answer, accept);
    await new Promise<void>(resolve => fake.#server.listen(fake.socketPath, resolve));
    return fake;
  }

  get transport(): Transport {
    return new Transport({ kind: 'unix', path: this.socketPath });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
    rmSync(this.folder, { recursive: true });
  }
}

export function sync(response: ServerResponse, metadata: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers });
  response.end(
    JSON.stringify({
      type: 'sync',
      status: 'Success',
      status_code: 200,
      operation: '',
      error_code: 0,
      error: '',
      metadata,
    }),
  );
}

export function failure(response: ServerResponse, status: number, error: string, code?: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      type: 'error',
      status: '',
      status_code: 0,
      operation: '',
      error_code: status,
      error,
      metadata: null,
      code,
    }),
  );
}

export function operation(id: string, metadata: unknown = null, status = 'Running', statusCode = 103): object {
  return {
    id,
    class: 'task',
    description: '',
    status,
    status_code: statusCode,
    resources: null,
    metadata,
    may_cancel: true,
    err: '',
    location: 'none',
  };
}

export function accepted(response: ServerResponse, metadata: object): void {
  response.writeHead(202, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      type: 'async',
      status: 'Operation created',
      status_code: 100,
      operation: '',
      error_code: 0,
      error: '',
      metadata,
    }),
  );
}
