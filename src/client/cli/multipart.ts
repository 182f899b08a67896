import { createReadStream } from 'node:fs';
import { ApiError } from '#api/error.ts';

/** A multipart/form-data body made of files, streamed. */
export async function* multipartFiles(
  boundary: string,
  parts: readonly { readonly name: string; readonly file: string }[],
): AsyncGenerator<Buffer> {
  for (const { name, file } of parts) {
    const filename = (file.split('/').pop() ?? name).replace(/["\r\n\\]/g, '_');
    yield Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    );
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) yield chunk as Buffer;
    yield Buffer.from('\r\n');
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

export interface Part {
  readonly name: string;
  readonly filename: string;
  /** to be read to its end before the next part is asked for */
  readonly body: AsyncIterable<Uint8Array>;
}

/** The parts of a multipart answer, one after the other. */
export async function* multipartReply(contentType: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Part> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1];
  if (!boundary) throw new ApiError('internal', 'The server sent several files without a boundary between them');
  const buffer = new Window(body[Symbol.asyncIterator]());
  await buffer.until(Buffer.from(`--${boundary}`));
  for (;;) {
    const afterBoundary = (await buffer.until(Buffer.from('\r\n'))).toString();
    if (afterBoundary.startsWith('--')) return;
    const head = (await buffer.until(Buffer.from('\r\n\r\n'))).toString();
    const field = (key: string): string => new RegExp(`[; ]${key}="?([^";\\r\\n]*)`, 'i').exec(head)?.[1] ?? '';
    yield {
      name: field('name'),
      filename: field('filename'),
      body: buffer.chunksUntil(Buffer.from(`\r\n--${boundary}`)),
    };
  }
}

/** A stream that is cut at separators. */
class Window {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  async until(separator: Buffer): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const part of this.chunksUntil(separator)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *chunksUntil(separator: Buffer): AsyncGenerator<Uint8Array> {
    for (;;) {
      const found = this.#held.indexOf(separator);
      if (found >= 0) {
        const last = this.#held.subarray(0, found);
        this.#held = this.#held.subarray(found + separator.length);
        if (last.length > 0) yield last;
        return;
      }
      // The separator may begin at the end of what is held.
      const sure = this.#held.length - separator.length + 1;
      if (sure > 0) {
        yield this.#held.subarray(0, sure);
        this.#held = this.#held.subarray(sure);
      }
      const more = await this.#source.next();
      if (more.done) throw new ApiError('unavailable', 'The connection ended in the middle of a file');
      this.#held = Buffer.concat([this.#held, more.value]);
    }
  }
}
