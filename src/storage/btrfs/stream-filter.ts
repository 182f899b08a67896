import { ApiError } from '#api/error.ts';

/** Format of send streams: linux/fs/btrfs/send.h. */
const magic = Buffer.from('btrfs-stream\0');
const streamHeaderBytes = magic.length + 4;
const commandHeaderBytes = 10;
const commands = { subvolume: 1, snapshot: 2, clone: 6 } as const;
const attributes = { uuid: 1, cloneUuid: 20 } as const;
/** a command of version 1 holds 64 KiB at most; of version 2 a little more than 128 KiB of encoded data */
const maxCommandBytes = 2 ** 20;
const uuidBytes = 16;
/** Most commands are shorter than a hundred bytes: passing each on by itself would be slow. */
const batchBytes = 256 * 1024;

/** What a stream's UUIDs become. */
export interface Renaming {
  /** for the tree that the stream makes */
  own(uuid: string): string;
  /** for a tree that the stream builds on; undefined refuses the stream */
  known(uuid: string): Promise<string | undefined>;
}

/**
 * Passes a stream of btrfs-send(8) on with other UUIDs: which trees it may build on is then ours to say, and not to be
 * found out by trying UUIDs of somebody else's. Throws "invalid-argument" for what is no such stream.
 */
export async function* renameTrees(stream: AsyncIterable<Buffer>, renaming: Renaming): AsyncGenerator<Buffer> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for await (const part of renamedParts(stream, renaming)) {
    batch.push(part);
    bytes += part.length;
    if (bytes < batchBytes) continue;
    yield Buffer.concat(batch);
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(batch);
}

async function* renamedParts(stream: AsyncIterable<Buffer>, renaming: Renaming): AsyncGenerator<Buffer> {
  const reader = new ByteReader(stream);
  const header = await reader.exactly(streamHeaderBytes);
  if (!header.subarray(0, magic.length).equals(magic)) throw broken('it does not begin as one');
  const version = header.readUInt32LE(magic.length);
  if (version < 1 || version > 2) throw broken(`its version ${String(version)} is not known`);
  yield header;
  for (;;) {
    const command = await reader.exactlyOrEnd(commandHeaderBytes);
    if (!command) return;
    const length = command.readUInt32LE(0);
    const kind = command.readUInt16LE(4);
    if (length > maxCommandBytes) throw broken('a command in it is too long');
    if (kind !== commands.subvolume && kind !== commands.snapshot && kind !== commands.clone) {
      yield command;
      yield* reader.pass(length);
      continue;
    }
    const whole = Buffer.concat([command, await reader.exactly(length)]);
    await renameIn(whole, renaming, kind);
    yield whole;
  }
}

async function renameIn(whole: Buffer, renaming: Renaming, kind: number): Promise<void> {
  let own: string | undefined;
  for (let at = commandHeaderBytes; at < whole.length;) {
    if (at + 4 > whole.length) throw broken('a command in it is cut off');
    const type = whole.readUInt16LE(at);
    const length = whole.readUInt16LE(at + 2);
    const end = at + 4 + length;
    if (end > whole.length) throw broken('a command in it is cut off');
    if (type === attributes.uuid || type === attributes.cloneUuid) {
      if (length !== uuidBytes) throw broken('a UUID in it is malformed');
      const given = whole.toString('hex', at + 4, end);
      if (type === attributes.uuid) own = given;
      const renamed = type === attributes.uuid ? renaming.own(given) : await renaming.known(given);
      if (renamed === undefined)
        throw new ApiError('failed-precondition', 'Cannot take the stream: it builds on a snapshot that is not here');
      whole.write(renamed, at + 4, 'hex');
    }
    at = end;
  }
  if (kind !== commands.clone && own === undefined) throw broken('a tree in it has no UUID');
  whole.writeUInt32LE(0, 6);
  whole.writeUInt32LE(crc32c(whole), 6);
}

function broken(reason: string): ApiError {
  return new ApiError('invalid-argument', `Cannot take the stream: ${reason}`);
}

/** Exact numbers of bytes from chunks of any size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async exactly(length: number): Promise<Buffer> {
    const bytes = await this.exactlyOrEnd(length);
    if (!bytes && length > 0) throw broken('it is cut off');
    return bytes ?? Buffer.alloc(0);
  }

  /** Undefined when the stream ends right here. */
  async exactlyOrEnd(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const part = await this.#some(missing);
      if (!part) {
        if (missing === length) return undefined;
        throw broken('it is cut off');
      }
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  async *pass(length: number): AsyncGenerator<Buffer> {
    for (let missing = length; missing > 0;) {
      const part = await this.#some(missing);
      if (!part) throw broken('it is cut off');
      yield part;
      missing -= part.length;
    }
  }

  /** At most `most` bytes, at least one. */
  async #some(most: number): Promise<Buffer | undefined> {
    while (this.#left.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      this.#left = next.value;
    }
    const part = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(part.length);
    return part;
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C (Castagnoli) without the final and initial complement, as btrfs uses it. */
function crc32c(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return crc >>> 0;
}
