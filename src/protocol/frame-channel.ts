import { Readable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';

/** Bytes that may wait to be sent before the source of them is asked to wait. */
const highWater = 4 * 2 ** 20;
/** Messages that may wait to be read before the peer is. */
const maxWaiting = 64;

/**
 * A websocket that carries one stream of bytes after the other in each direction: binary messages, each stream ended by
 * an empty text message (the framing of LXD's migration protocol).
 */
export class FrameChannel {
  readonly #socket: WebSocket;
  readonly #waiting: (Buffer | undefined)[] = [];
  #wake: () => void = () => undefined;
  #failure: Error | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.#waiting.push(isBinary ? bytesOf(data) : undefined);
      if (this.#waiting.length >= maxWaiting) socket.pause();
      this.#wake();
    });
    const lost = (): void => {
      this.#failure ??= lostConnection();
      this.#wake();
    };
    socket.on('close', lost).on('error', lost);
    if (socket.readyState > socket.OPEN) lost();
    else socket.resume();
  }

  /** The chunks of the next stream; throws "unavailable" when the connection ends before the stream does. */
  async *chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      while (this.#waiting.length === 0) {
        if (this.#failure) throw this.#failure;
        this.#socket.resume();
        await new Promise<void>(resolve => (this.#wake = resolve));
      }
      const chunk = this.#waiting.shift();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  stream(onBytes?: (bytes: number) => void): Readable {
    return Readable.from(counted(this.chunks(), onBytes), { objectMode: false });
  }

  /** The next stream as JSON, of at most `maxBytes`; throws "invalid-argument". */
  async json(maxBytes = 16 * 2 ** 20): Promise<unknown> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of this.chunks()) {
      bytes += part.length;
      if (bytes > maxBytes) throw new ApiError('invalid-argument', 'The other server sent too long a description');
      parts.push(part);
    }
    try {
      return JSON.parse(Buffer.concat(parts).toString());
    } catch (error) {
      throw new ApiError('invalid-argument', 'The other server sent a description that is no JSON', { cause: error });
    }
  }

  async sendJson(value: unknown): Promise<void> {
    await this.write(Buffer.from(JSON.stringify(value)));
    await this.end();
  }

  /** Sends a whole stream with its end. */
  async send(source: AsyncIterable<Buffer>, onBytes?: (bytes: number) => void): Promise<void> {
    for await (const chunk of counted(source, onBytes)) await this.write(chunk);
    await this.end();
  }

  /** Resolves when more may be written. */
  async write(chunk: Buffer): Promise<void> {
    this.#assertOpen();
    if (this.#socket.bufferedAmount < highWater) {
      this.#socket.send(chunk, { binary: true }, () => undefined);
      return;
    }
    await this.#sent(chunk, true);
  }

  /** Ends the stream that was being sent. Resolves when all of it is on its way. */
  async end(): Promise<void> {
    this.#assertOpen();
    await this.#sent('', false);
  }

  async #sent(data: Buffer | '', binary: boolean): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#socket.send(data, { binary }, error => (error ? reject(lostConnection(error)) : resolve())),
    );
  }

  #assertOpen(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) throw lostConnection();
  }
}

function lostConnection(cause?: unknown): ApiError {
  return new ApiError('unavailable', 'The connection to the other server was lost', { cause });
}

async function* counted(source: AsyncIterable<Buffer>, onBytes?: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    onBytes?.(chunk.length);
    yield chunk;
  }
}

export function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
