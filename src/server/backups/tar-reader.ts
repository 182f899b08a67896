import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import {
  blockSize,
  type Extension,
  isZeroBlock,
  malformed,
  memberOf,
  parseHeader,
  parsePax,
  type TarMember,
} from '../images/tar-header.ts';
import type { TarLimits } from '../images/tar-scan.ts';

const maxExtension = 2 ** 20;

/** A member of an archive as it comes by. */
export interface TarEntry {
  readonly member: TarMember;
  /** its header with those that extend it, as they stand in the archive */
  readonly header: Buffer;
  /** of the header */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** The bytes that are stored, without padding; what is not read is skipped. */
  content(): AsyncGenerator<Buffer>;
}

/** Members of an uncompressed archive, judged by name and size before their content is read. Ends at the end mark. */
export async function* readTar(source: AsyncIterable<Buffer>, limits: TarLimits): AsyncGenerator<TarEntry> {
  const bytes = new Bytes(source);
  let members = 0;
  let unpacked = 0;
  for (;;) {
    const head = await readHead(bytes);
    if (!head) break;
    const { member } = head;
    members += 1;
    unpacked += member.size;
    if (members > limits.members)
      throw new ApiError('invalid-argument', `The archive holds more than ${String(limits.members)} members`);
    if (unpacked > limits.bytes)
      throw new ApiError('out-of-space', `The archive unpacks to more than the ${formatSize(limits.bytes)} allowed`);
    let left = member.storedSize;
    async function* content(): AsyncGenerator<Buffer> {
      while (left > 0) {
        const part = await bytes.some(left);
        left -= part.length;
        yield part;
      }
    }
    yield { ...head, content };
    while (left > 0) left -= (await bytes.some(left)).length;
    await bytes.exactly(paddingOf(member.storedSize));
  }
  if (members === 0) throw malformed('it is empty');
}

export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

type Head = Pick<TarEntry, 'member' | 'header' | 'mode' | 'uid' | 'gid'>;

/** Undefined at the end mark. */
async function readHead(bytes: Bytes): Promise<Head | undefined> {
  const extension: Extension = { pax: new Map(), longName: undefined, longLink: undefined };
  const blocks: Buffer[] = [];
  for (;;) {
    const block = await bytes.exactly(blockSize);
    if (isZeroBlock(block)) return undefined;
    const header = parseHeader(block);
    blocks.push(block);
    if ('xgLK'.includes(header.type)) {
      if (header.storedSize > maxExtension) throw malformed('an extension header is too large');
      const body = await bytes.exactly(header.storedSize);
      const padding = await bytes.exactly(paddingOf(header.storedSize));
      if (header.type !== 'g') blocks.push(body, padding);
      else if ([...parsePax(body).keys()].some(key => key !== 'comment')) throw malformed('it has a global header');
      else blocks.pop();
      extend(extension, header.type, body);
      continue;
    }
    const member = memberOf(header, extension);
    for (let continues = header.mapContinues; continues;) {
      const map = await bytes.exactly(blockSize);
      blocks.push(map);
      continues = map[504] !== 0;
    }
    const field = (start: number): number => Number.parseInt(block.toString('latin1', start, start + 7), 8) || 0;
    return { member, header: Buffer.concat(blocks), mode: field(100), uid: field(108), gid: field(116) };
  }
}

function extend(extension: Extension, type: string, body: Buffer): void {
  if (type === 'x') extension.pax = parsePax(body);
  else if (type === 'L') extension.longName = untilNul(body);
  else if (type === 'K') extension.longLink = untilNul(body);
}

function untilNul(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString('utf8', 0, end < 0 ? body.length : end);
}

/** Bytes of a stream, taken by count. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Buffer> {
    while (this.#buffer.length < count) await this.#more();
    const part = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return part;
  }

  /** At least one byte and at most `most`. */
  async some(most: number): Promise<Buffer> {
    if (this.#buffer.length === 0) await this.#more();
    const part = this.#buffer.subarray(0, most);
    this.#buffer = this.#buffer.subarray(part.length);
    return part;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done === true) throw malformed('it ends too early');
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
  }
}
