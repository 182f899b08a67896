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
/** What a stream's UUIDs become. */
export interface Renaming {
  /** for the tree that the stream makes */
  own(uuid: string): string;
  /** for a tree that the stream builds on; undefined refuses the stream */
  known(uuid: string): Promise<string | undefined>;
}

/**
 * Passes a stream of btrfs-send(8) on with other UUIDs: which trees it may build on is then ours to say, and not to be
 * found out by trying UUIDs of somebody else's. Nothing but the commands that name trees is copied. Throws
 * "invalid-argument" for what is no such stream.
 */
export async function* renameTrees(stream: AsyncIterable<Buffer>, renaming: Renaming): AsyncGenerator<Buffer> {
  const filter = new StreamFilter(renaming);
  for await (const chunk of stream) yield* filter.pass(chunk);
  filter.assertEnded();
}

class StreamFilter {
  readonly #renaming: Renaming;
  /** bytes of a command that are passed on unseen */
  #unseen = 0;
  /** what must be seen as a whole before it is passed on, as far as it is here */
  #held: Buffer = Buffer.alloc(0);
  /** bytes of that */
  #wanted = streamHeaderBytes;
  #isBegun = false;

  constructor(renaming: Renaming) {
    this.#renaming = renaming;
  }

  async *pass(chunk: Buffer): AsyncGenerator<Buffer> {
    let passed = 0;
    for (let at = 0; at < chunk.length;) {
      const step = this.#stepOver(chunk, at);
      at += step;
      if (step > 0) continue;
      if (at > passed) yield chunk.subarray(passed, at);
      const taken = chunk.subarray(at, at + this.#wanted - this.#held.length);
      this.#held = Buffer.concat([this.#held, taken]);
      at += taken.length;
      passed = at;
      if (this.#held.length === this.#wanted && (await this.#look())) {
        yield this.#held;
        this.#held = Buffer.alloc(0);
        this.#wanted = commandHeaderBytes;
      }
    }
    if (chunk.length > passed) yield chunk.subarray(passed);
  }

  assertEnded(): void {
    if (!this.#isBegun || this.#unseen > 0 || this.#held.length > 0) throw broken('it is cut off');
  }

  /** Bytes from there on that need no look, or only one at a header that is whole. */
  #stepOver(chunk: Buffer, at: number): number {
    if (this.#unseen > 0) {
      const step = Math.min(this.#unseen, chunk.length - at);
      this.#unseen -= step;
      return step;
    }
    if (!this.#isBegun || this.#held.length > 0 || chunk.length - at < commandHeaderBytes) return 0;
    const { length, namesTrees } = readCommand(chunk, at);
    if (namesTrees) return 0;
    this.#unseen = length;
    return commandHeaderBytes;
  }

  /** True when what is held may go on; otherwise more of it is needed. */
  async #look(): Promise<boolean> {
    if (!this.#isBegun) {
      checkHeader(this.#held);
      this.#isBegun = true;
      return true;
    }
    const { kind, length, namesTrees } = readCommand(this.#held, 0);
    if (!namesTrees) {
      this.#unseen = length;
      return true;
    }
    this.#wanted = commandHeaderBytes + length;
    if (this.#held.length < this.#wanted) return false;
    await renameIn(this.#held, this.#renaming, kind);
    return true;
  }
}

function checkHeader(header: Buffer): void {
  if (!header.subarray(0, magic.length).equals(magic)) throw broken('it does not begin as one');
  const version = header.readUInt32LE(magic.length);
  if (version < 1 || version > 2) throw broken(`its version ${String(version)} is not known`);
}

function readCommand(
  bytes: Buffer,
  at: number,
): { readonly kind: number; readonly length: number; readonly namesTrees: boolean } {
  const length = bytes.readUInt32LE(at);
  const kind = bytes.readUInt16LE(at + 4);
  if (length > maxCommandBytes) throw broken('a command in it is too long');
  const namesTrees = kind === commands.subvolume || kind === commands.snapshot || kind === commands.clone;
  return { kind, length, namesTrees };
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
