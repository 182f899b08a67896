import { Transform, type TransformCallback } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import {
  blockSize,
  isZeroBlock,
  malformed,
  memberOf,
  parseHeader,
  parsePax,
  type Extension,
  type TarMember,
} from './tar-header.ts';

export interface TarLimits {
  /** bytes of the archive, and of its files when unpacked */
  readonly bytes: number;
  readonly members: number;
}

export interface TarWatcher {
  /** Called before the member's content passes; may throw to refuse it. True asks for its content. */
  readonly member: (member: TarMember) => boolean;
  /** the content asked for, at most `contentLimit` bytes */
  readonly content?: (member: TarMember, content: Buffer) => void;
}

export const contentLimit = 2 ** 20;
const maxExtension = 2 ** 20; // long names and extended attributes; the kernel's own limits are 4 KiB and 64 KiB

const noExtension: Extension = { pax: new Map(), longName: undefined, longLink: undefined };

/**
 * Passes an uncompressed archive through unchanged while it reads every header, so that whoever unpacks it behind
 * never sees a member that was not judged first. Fails when a limit is reached.
 */
export class TarScan extends Transform {
  readonly #limits: TarLimits;
  readonly #watcher: TarWatcher;
  #pending: Buffer = Buffer.alloc(0);
  #skip = 0;
  #collect: { readonly parts: Buffer[]; left: number; readonly done: (body: Buffer) => void } | undefined;
  #extension: Extension = { ...noExtension };
  #mapContinues = false;
  #ended = false;
  #passed = 0;
  #unpacked = 0;
  #members = 0;

  constructor(limits: TarLimits, watcher: TarWatcher) {
    super({ highWaterMark: 2 ** 18 });
    this.#limits = limits;
    this.#watcher = watcher;
  }

  get members(): number {
    return this.#members;
  }

  /** bytes of the archive so far */
  get passed(): number {
    return this.#passed;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#passed += chunk.length;
      this.#checkBytes(this.#passed);
      this.#read(chunk);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const whole = this.#ended || (this.#skip === 0 && !this.#collect && this.#pending.length === 0);
    done(whole && this.#members > 0 ? null : malformed('it ends too early'));
  }

  #read(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length && !this.#ended) {
      if (this.#collect) offset += this.#take(chunk.subarray(offset));
      else if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - offset);
        this.#skip -= step;
        offset += step;
      } else {
        const step = Math.min(blockSize - this.#pending.length, chunk.length - offset);
        const part = chunk.subarray(offset, offset + step);
        offset += step;
        const block = this.#pending.length === 0 ? part : Buffer.concat([this.#pending, part]);
        this.#pending = block.length < blockSize ? Buffer.from(block) : Buffer.alloc(0);
        if (block.length === blockSize) this.#header(block);
      }
    }
  }

  #header(block: Buffer): void {
    if (this.#mapContinues) {
      this.#mapContinues = block[504] !== 0;
      return;
    }
    if (isZeroBlock(block)) {
      // tar reads no member behind the end mark, so neither do we
      this.#ended = true;
      return;
    }
    const header = parseHeader(block);
    if ('xgLK'.includes(header.type)) {
      this.#readExtension(header.type, header.storedSize);
      return;
    }
    const member = memberOf(header, this.#extension);
    this.#extension = { ...noExtension };
    this.#members += 1;
    this.#unpacked += member.size;
    if (this.#members > this.#limits.members)
      throw new ApiError('invalid-argument', `The archive holds more than ${String(this.#limits.members)} members`);
    this.#checkBytes(this.#unpacked);
    this.#mapContinues = header.mapContinues;
    const wanted = this.#watcher.member(member);
    if (wanted && !header.mapContinues) this.#collectContent(member);
    else this.#skip = padded(member.storedSize);
  }

  #collectContent(member: TarMember): void {
    if (member.storedSize > contentLimit)
      throw new ApiError('invalid-argument', `"${member.name}" is larger than ${formatSize(contentLimit)}`);
    this.#start(member.storedSize, body => this.#watcher.content?.(member, body));
  }

  #readExtension(type: string, size: number): void {
    if (size > maxExtension) throw malformed('an extension header is too large');
    this.#start(size, body => {
      // a global header would apply to all members behind it; git and others put only a comment there
      if (type === 'x') this.#extension.pax = parsePax(body);
      else if (type === 'L') this.#extension.longName = untilNul(body);
      else if (type === 'K') this.#extension.longLink = untilNul(body);
      else if ([...parsePax(body).keys()].some(key => key !== 'comment')) throw malformed('it has a global header');
    });
  }

  #start(size: number, done: (body: Buffer) => void): void {
    if (size === 0) done(Buffer.alloc(0));
    else this.#collect = { parts: [], left: size, done };
  }

  /** Takes content that is collected; returns how many bytes of the chunk that were. */
  #take(chunk: Buffer): number {
    const collect = this.#collect;
    if (!collect) return 0;
    const part = chunk.subarray(0, collect.left);
    collect.parts.push(Buffer.from(part));
    collect.left -= part.length;
    if (collect.left === 0) {
      this.#collect = undefined;
      const body = Buffer.concat(collect.parts);
      this.#skip = padded(body.length) - body.length;
      collect.done(body);
    }
    return part.length;
  }

  #checkBytes(bytes: number): void {
    if (bytes <= this.#limits.bytes) return;
    throw new ApiError('out-of-space', `The archive unpacks to more than the ${formatSize(this.#limits.bytes)} allowed`);
  }
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

function untilNul(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString('utf8', 0, end < 0 ? body.length : end);
}
