import type { WebSocket } from 'ws';
import { connectionError, connectOptions, pinCertificate, type Target } from './http.ts';

export type Socket = WebSocket;

/** Opens a websocket; resolves when it is open. Messages that come before a listener is set are kept by pausing it. */
export async function openSocket(target: Target, path: string): Promise<Socket> {
  const { WebSocket } = await import('ws');
  const { ClientRequest } = await import('node:http');
  const { headers: _headers, socketPath: _path, host: _host, port: _port, ...options } = await connectOptions(target);
  const address = target.kind === 'unix' ? `ws+unix:${target.path}:${path}` : target.url.replace(/^http/, 'ws') + path;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, {
      ...options,
      perMessageDeflate: false,
      maxPayload: 64 * 2 ** 20,
      finishRequest: request => {
        if (request instanceof ClientRequest) pinCertificate(request, target);
        request.end();
      },
    });
    socket.once('open', () => {
      socket.pause();
      resolve(socket);
    });
    socket.once('error', error => reject(connectionError(target, error)));
    socket.once('unexpected-response', (_request, response) => {
      reject(
        connectionError(target, new Error(`the websocket was refused with status ${String(response.statusCode)}`)),
      );
    });
  });
}

/** Messages of a websocket until it closes. */
export async function* messagesOf(
  socket: Socket,
  signal?: AbortSignal,
): AsyncGenerator<{ data: Buffer; text: boolean }> {
  const queue: { data: Buffer; text: boolean }[] = [];
  let closed = false;
  let wake: () => void = () => undefined;
  socket.on('message', (data: Buffer, binary: boolean) => {
    queue.push({ data, text: !binary });
    if (queue.length > 64) socket.pause();
    wake();
  });
  const end = (): void => {
    closed = true;
    wake();
  };
  socket.on('close', end);
  socket.on('error', end);
  const abort = (): void => socket.terminate();
  signal?.addEventListener('abort', abort, { once: true });
  socket.resume();
  try {
    for (;;) {
      for (let next = queue.shift(); next; next = queue.shift()) yield next;
      if (closed) return;
      socket.resume();
      await new Promise<void>(resolve => (wake = resolve));
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    socket.close();
  }
}
