import { ApiError } from '#api/error.ts';

/** What the first record of a stream tells (struct drr_begin of ZFS). */
export interface StreamBegin {
  /** of the snapshot that it makes */
  readonly guid: string;
  /** of the snapshot that it builds on; undefined for a whole one */
  readonly base: string | undefined;
  /** it is of a clone of that: it begins a dataset and does not go on with one */
  readonly isClone: boolean;
}

const recordBytes = 312;
const magic = 0x2f5bacbacn;
const [singleStream, fileSystem] = [1n, 2];
const cloneFlag = 1;

/** A stream whose beginning was read. */
export interface BegunStream {
  readonly begin: StreamBegin;
  /** the whole stream, to be read once */
  readonly whole: AsyncIterable<Buffer>;
  /** true when all of it was read */
  readonly isRead: () => boolean;
}

/**
 * Reads the beginning of a stream that nobody vouches for. Throws "invalid-argument" unless it holds one snapshot of a
 * file system and nothing else: packages of streams bring properties and other datasets.
 */
export async function readBegin(input: AsyncIterable<Buffer>): Promise<BegunStream> {
  const chunks = input[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  while (start.length < recordBytes) {
    const { done, value } = await chunks.next();
    if (done === true) break;
    start = Buffer.concat([start, value]);
  }
  let isRead = false;
  const joined = async function* (): AsyncGenerator<Buffer> {
    yield start;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
    isRead = true;
  };
  try {
    return { begin: parseBegin(start), whole: joined(), isRead: () => isRead };
  } catch (error) {
    await chunks.return?.();
    throw error;
  }
}

export function parseBegin(record: Buffer): StreamBegin {
  if (record.length < recordBytes) throw refused('it is cut off');
  const isLittle = record.readBigUInt64LE(8) === magic;
  if (!isLittle && record.readBigUInt64BE(8) !== magic) throw refused('it is none of ZFS');
  const number = (offset: number): bigint =>
    isLittle ? record.readBigUInt64LE(offset) : record.readBigUInt64BE(offset);
  const type = isLittle ? record.readUInt32LE(32) : record.readUInt32BE(32);
  const kind = isLittle ? record.readUInt32LE(0) : record.readUInt32BE(0);
  if (kind !== 0 || (number(16) & 3n) !== singleStream) throw refused('it holds more than one snapshot');
  if (type !== fileSystem) throw refused('it holds a block device, not a file system');
  const base = number(48);
  const flags = isLittle ? record.readUInt32LE(36) : record.readUInt32BE(36);
  return {
    guid: String(number(40)),
    base: base === 0n ? undefined : String(base),
    isClone: (flags & cloneFlag) !== 0,
  };
}

function refused(reason: string): ApiError {
  return new ApiError('invalid-argument', `Cannot take the stream: ${reason}`);
}
