import type { RawData, WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';
import { BlockQueue } from './block-queue.ts';
import { FrameReader, headerRoom, writeHeader } from './frame-reader.ts';
import { takeStream, type UnderlyingStream } from './websocket-stream.ts';

/** Payload of one frame: large enough for its cost to vanish, small enough to be on its way while the next one fills. */
const frameBytes = 256 * 1024;
/** Buffers of Node's that are smaller may share their memory. */
const smallBytes = 8192;
/** One is written while the other fills; of three, Node would put two together by copying. */
const framesUnderWay = 2;

/**
 * A websocket that carries one stream of bytes after the other in each direction: binary messages, each stream ended by
 * an empty text message (the framing of LXD's migration protocol). The memory that bytes pass through is used again and
 * again: to leave gigabytes of it to the garbage collector would take longer than to send them.
 */
export class FrameChannel {
  readonly #socket: WebSocket;
  readonly #under: UnderlyingStream;
  readonly #received: BlockQueue;
  readonly #freeFrames: Buffer[];
  #frameIsFree: () => void = () => undefined;
  #failure: Error | undefined;

  /** `free` gives the memory of bytes that were read back at once. */
  constructor(socket: WebSocket, free: (bytes: Buffer) => void = () => undefined) {
    this.#socket = socket;
    this.#received = new BlockQueue({ full: () => socket.pause(), wanting: () => socket.resume() });
    const lost = (): void => {
      this.#failure ??= lostConnection();
      this.#received.fail(this.#failure);
      this.#frameIsFree();
    };
    socket.on('close', lost).on('error', lost);
    this.#under = takeStream(socket);
    const room = headerRoom(this.#under.masks);
    this.#freeFrames = Array.from({ length: framesUnderWay }, () => Buffer.allocUnsafeSlow(room + frameBytes));
    if (socket.readyState > socket.OPEN) lost();
    else this.#listen(free);
  }

  #listen(free: (bytes: Buffer) => void): void {
    const { stream, handBack } = this.#under;
    let isOurs = true;
    const reader = new FrameReader({
      data: bytes => this.#received.push(bytes),
      other: bytes => {
        isOurs = false;
        handBack(bytes);
      },
    });
    stream.on('data', (chunk: Buffer) => {
      isOurs = true;
      reader.push(chunk);
      if (isOurs && chunk.length >= smallBytes) free(chunk);
    });
    this.#socket.on('message', (_data: RawData, isBinary: boolean) => {
      if (!isBinary) this.#received.end();
    });
    this.#socket.resume();
  }

  get isLost(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * The chunks of the next stream, each of them only until the one after it is asked for; throws "unavailable" when the
   * connection ends before the stream does.
   */
  chunks(onBytes?: (bytes: number) => void): AsyncGenerator<Buffer> {
    return this.#received.chunks(onBytes);
  }

  /** The next stream as JSON, of at most `maxBytes`; throws "invalid-argument". */
  async json(maxBytes = 16 * 2 ** 20): Promise<unknown> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of this.chunks()) {
      bytes += part.length;
      if (bytes > maxBytes) throw new ApiError('invalid-argument', 'The other server sent too long a description');
      parts.push(Buffer.from(part));
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
    for await (const chunk of source) {
      onBytes?.(chunk.length);
      await this.write(chunk);
    }
    await this.end();
  }

  /** Resolves when more may be written; the chunk has been copied by then. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += frameBytes) {
      const frame = await this.#freeFrame();
      this.#writeFrame(frame, chunk.subarray(at, at + frameBytes));
    }
  }

  /** Ends the stream that was being sent. Resolves when all of it is on its way. */
  async end(): Promise<void> {
    this.#assertOpen();
    await new Promise<void>((resolve, reject) =>
      this.#socket.send('', { binary: false }, error => (error ? reject(lostConnection(error)) : resolve())),
    );
  }

  async #freeFrame(): Promise<Buffer> {
    for (;;) {
      this.#assertOpen();
      const frame = this.#freeFrames.pop();
      if (frame) return frame;
      await new Promise<void>(resolve => (this.#frameIsFree = resolve));
    }
  }

  #writeFrame(frame: Buffer, payload: Uint8Array): void {
    const { stream, masks } = this.#under;
    const room = headerRoom(masks);
    writeHeader(frame, payload.length, masks);
    frame.set(payload, room);
    stream.write(frame.subarray(0, room + payload.length), () => {
      this.#freeFrames.push(frame);
      this.#frameIsFree();
    });
  }

  #assertOpen(): void {
    if (this.#failure || this.#socket.readyState !== this.#socket.OPEN) throw lostConnection();
  }
}

function lostConnection(cause?: unknown): ApiError {
  return new ApiError('unavailable', 'The connection to the other server was lost', { cause });
}

export function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
