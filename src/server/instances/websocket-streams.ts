import type { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

/** Bytes that may wait for a slow client before the source is paused. */
const highWater = 2 ** 20;

/**
 * Sends a stream as binary messages and, at its end, the empty text message that means "end of this stream". Resolves
 * when all of it was handed on; when the client goes away the stream is destroyed, so that its writer notices.
 */
export async function sendStream(source: Readable, socket: WebSocket): Promise<void> {
  await new Promise<void>(resolve => {
    let finished = false;
    const finish = (): void => {
      if (finished) return;
      finished = true;
      if (isOpen(socket)) socket.send('', { binary: false });
      resolve();
    };
    const sent = (error?: Error | null): void => {
      if (error) source.destroy();
      else if (source.isPaused() && socket.bufferedAmount < highWater / 2) source.resume();
    };
    source.on('data', (chunk: Buffer) => {
      if (!isOpen(socket)) return void source.destroy();
      socket.send(chunk, { binary: true }, sent);
      if (socket.bufferedAmount > highWater) source.pause();
    });
    source.on('end', finish).on('close', finish).on('error', finish);
    socket.on('close', () => source.destroy());
    if (source.destroyed) finish();
    resume(socket);
  });
}

/** Writes binary messages into a stream; a text message or the socket's end ends it. */
export function receiveStream(socket: WebSocket, sink: Writable): void {
  socket.on('message', (data, isBinary) => {
    if (!isBinary) return void sink.end();
    if (sink.writableEnded || sink.destroyed) return;
    if (sink.write(bytesOf(data))) return;
    socket.pause();
  });
  sink.on('drain', () => resume(socket));
  // A program that closed its input early goes on: what the client still sends is dropped.
  sink.on('close', () => resume(socket)).on('error', () => resume(socket));
  socket.on('close', () => sink.end());
  resume(socket);
}

/** Calls `receive` with each JSON object that a client sends; anything else is ignored. */
export function receiveMessages(
  socket: WebSocket,
  receive: (message: Readonly<Record<string, unknown>>) => void,
): void {
  socket.on('message', data => {
    const message = parseObject(bytesOf(data).toString());
    if (message) receive(message);
  });
  resume(socket);
}

export function isOpen(socket: WebSocket): boolean {
  return socket.readyState === socket.OPEN;
}

function resume(socket: WebSocket): void {
  if (isOpen(socket)) socket.resume();
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
