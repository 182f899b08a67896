import { createConnection } from 'node:net';
import { ApiError } from '#api/error.ts';
import type { RawAnswer, RawRequest } from './http.ts';

/**
 * One HTTP/1.1 request over a unix socket, without node:http: loading that costs a short command 5 ms.
 * The connection closes after the answer, so the body ends by length, by the last chunk or by the end of the stream.
 */
export async function sendOverSocket(socketPath: string, request: RawRequest): Promise<RawAnswer> {
  const body = request.body as Uint8Array | undefined;
  const lines = [`${request.method} ${request.path} HTTP/1.1`, 'host: localhost', 'connection: close'];
  for (const [name, value] of Object.entries(request.headers)) {
    if (/[\r\n]/.test(value)) throw new ApiError('invalid-argument', `Invalid header "${name}": it holds a line break`);
    lines.push(`${name}: ${value}`);
  }
  if (body !== undefined || request.method !== 'GET') lines.push(`content-length: ${String(body?.length ?? 0)}`);
  const socket = createConnection(socketPath);
  request.signal?.addEventListener('abort', () => socket.destroy(request.signal?.reason as Error), { once: true });
  socket.on('error', () => undefined); // told by the iterator below
  socket.cork(); // in one piece: a server that refuses by the head alone may close before a second write
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (body !== undefined) socket.write(body);
  socket.uncork();

  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    const reader = new ByteReader(chunks);
    let head = await readHead(reader);
    while (head.status >= 100 && head.status < 200) head = await readHead(reader);
    return { ...head, body: readBody(reader, head.headers) };
  } catch (error) {
    socket.destroy();
    const { connectionError } = await import('./http.ts');
    throw connectionError({ kind: 'unix', path: socketPath }, error as Error);
  }
}

/** Bytes of a stream, taken by line or by count. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterator<Buffer>) {
    this.#source = source;
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n');
      if (end >= 0) {
        const text = this.#buffer.toString('latin1', 0, end);
        this.#buffer = this.#buffer.subarray(end + 2);
        return text;
      }
      if (this.#buffer.length > 65_536) throw new Error('a header line is too long');
      const more = await this.#source.next();
      if (more.done) throw new Error('the connection ended before the answer');
      this.#buffer = this.#buffer.length ? Buffer.concat([this.#buffer, more.value]) : more.value;
    }
  }

  /** Up to `most` bytes; undefined at the end of the stream. */
  async some(most: number): Promise<Buffer | undefined> {
    if (this.#buffer.length === 0) {
      const more = await this.#source.next();
      if (more.done) return undefined;
      this.#buffer = more.value;
    }
    const part = this.#buffer.subarray(0, most);
    this.#buffer = this.#buffer.subarray(part.length);
    return part;
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

async function readHead(reader: ByteReader): Promise<{ status: number; headers: Record<string, string> }> {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(await reader.line())?.[1];
  if (status === undefined) throw new Error('the answer is not HTTP');
  const headers: Record<string, string> = {};
  for (let line = await reader.line(); line !== ''; line = await reader.line()) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(status), headers };
}

async function* readBody(reader: ByteReader, headers: Record<string, string>): AsyncGenerator<Uint8Array> {
  try {
    if (headers['transfer-encoding']?.toLowerCase().includes('chunked')) {
      for (;;) {
        const size = Number.parseInt(await reader.line(), 16);
        if (!(size >= 0)) throw new Error('a chunk has no size');
        if (size === 0) return;
        yield* take(reader, size);
        await reader.line();
      }
    }
    const length = headers['content-length'];
    if (length !== undefined) yield* take(reader, Number(length));
    else for (let part = await reader.some(65_536); part; part = await reader.some(65_536)) yield part;
  } finally {
    await reader.close();
  }
}

async function* take(reader: ByteReader, bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0;) {
    const part = await reader.some(left);
    if (!part) throw new ApiError('unavailable', 'The connection to the daemon ended in the middle of an answer');
    left -= part.length;
    yield part;
  }
}
