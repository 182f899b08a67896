import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';

/** Two ends of a websocket over a unix socket that is gone again when this returns. */
export async function websocketPair(): Promise<{ readonly server: WebSocket; readonly client: WebSocket }> {
  const folder = mkdtempSync('/tmp/websocket-pair-');
  const http = createServer();
  const acceptor = new WebSocketServer({ server: http, perMessageDeflate: false });
  http.listen(path.join(folder, 'socket'));
  await once(http, 'listening');
  const accepted = once(acceptor, 'connection');
  const client = new WebSocket(`ws+unix://${folder}/socket:/`, { perMessageDeflate: false });
  client.on('error', () => undefined);
  const [[server]] = (await Promise.all([accepted, once(client, 'open')])) as [[WebSocket], unknown];
  http.close();
  rmSync(folder, { recursive: true });
  return { server, client };
}

/** What a client received on one socket, in order. */
export interface Received {
  readonly binary: () => string;
  /** number of empty text messages, each the end of a stream */
  readonly ends: () => number;
  /** close code */
  readonly closed: Promise<number>;
}

export function receive(client: WebSocket): Received {
  const parts: Buffer[] = [];
  let ends = 0;
  client.on('message', (data, isBinary) => {
    if (isBinary) parts.push(data as Buffer);
    else ends += 1;
  });
  return {
    binary: () => Buffer.concat(parts).toString(),
    ends: () => ends,
    closed: once(client, 'close').then(([code]) => code as number),
  };
}
