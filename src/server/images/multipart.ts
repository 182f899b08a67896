import { ApiError } from '#api/error.ts';

export interface MultipartPart {
  readonly name: string;
  readonly filename: string | undefined;
  /** read it to its end before the next part is asked for; what is left is skipped */
  readonly body: AsyncIterable<Buffer>;
}

const maxHeader = 8192;
const maxParts = 16;

/** Boundary of a multipart/form-data content type, or undefined when it is another type. */
export function multipartBoundary(contentType: string): string | undefined {
  const match = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i.exec(
    contentType.slice(0, 512),
  );
  return match?.[1] ?? match?.[2];
}

/** Parts of a multipart/form-data body (RFC 7578) as they arrive; nothing but a boundary's length is kept. */
export async function* readMultipart(body: AsyncIterable<Buffer>, boundary: string): AsyncGenerator<MultipartPart> {
  // the first boundary has no line break before it
  const input = new Input(body, Buffer.from('\r\n'));
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  for await (const preamble of input.until(delimiter)) void preamble;
  for (let count = 0; ; count += 1) {
    const ending = (await input.line(256)).trimEnd();
    if (ending === '--') return;
    if (ending !== '') throw malformedBody('a boundary is followed by other text');
    if (count === maxParts) throw malformedBody(`it has more than ${String(maxParts)} parts`);
    const { name, filename } = disposition(await readHeader(input));
    const content = input.until(delimiter);
    yield { name, filename, body: content };
    for await (const rest of content) void rest;
  }
}

async function readHeader(input: Input): Promise<ReadonlyMap<string, string>> {
  const fields = new Map<string, string>();
  for (let left = maxHeader; ; ) {
    const line = await input.line(left);
    left -= line.length + 2;
    if (line === '') return fields;
    const colon = line.indexOf(':');
    if (colon < 1) throw malformedBody('a header of a part is wrong');
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
}

function disposition(fields: ReadonlyMap<string, string>): { name: string; filename: string | undefined } {
  const text = fields.get('content-disposition') ?? '';
  const parameter = (key: string): string | undefined => {
    const match = new RegExp(`;\\s*${key}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, 'i').exec(text);
    return match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2];
  };
  const name = parameter('name');
  if (!/^form-data\b/i.test(text) || name === undefined) throw malformedBody('a part has no name');
  return { name, filename: parameter('filename') };
}

/** Bytes that arrive, with a little looked ahead. */
class Input {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer;

  constructor(source: AsyncIterable<Buffer>, start: Buffer) {
    this.#source = source[Symbol.asyncIterator]();
    this.#buffer = start;
  }

  /** Text up to the next CRLF, which is consumed. */
  async line(limit: number): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n');
      if (end > limit || (end < 0 && this.#buffer.length > limit + 1)) throw malformedBody('a header is too long');
      if (end >= 0) {
        const line = this.#buffer.toString('utf8', 0, end);
        this.#buffer = this.#buffer.subarray(end + 2);
        return line;
      }
      // a closing boundary may be the very end of the body
      if (!(await this.#more())) {
        const line = this.#buffer.toString('utf8');
        this.#buffer = Buffer.alloc(0);
        if (line === '--') return line;
        throw malformedBody('it ends too early');
      }
    }
  }

  /** Bytes up to the delimiter, which is consumed. Ends at once when it was read to the delimiter before. */
  until(delimiter: Buffer): AsyncGenerator<Buffer> {
    return this.#until(delimiter);
  }

  async *#until(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const found = this.#buffer.indexOf(delimiter);
      const sure = found >= 0 ? found : Math.max(0, this.#buffer.length - delimiter.length + 1);
      const part = this.#buffer.subarray(0, sure);
      this.#buffer = this.#buffer.subarray(found >= 0 ? found + delimiter.length : sure);
      if (part.length > 0) yield part;
      if (found >= 0) return;
      if (!(await this.#more())) throw malformedBody('it ends too early');
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done === true) return false;
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
    return true;
  }
}

function malformedBody(reason: string): ApiError {
  return new ApiError('invalid-argument', `Malformed multipart body: ${reason}`);
}
