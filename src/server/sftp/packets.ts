/** Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02): a length, a type and fields in network byte order. */

export const sftpVersion = 3;

export const requests = {
  init: 1,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  extended: 200,
} as const;

export const replies = { version: 2, status: 101, handle: 102, data: 103, name: 104, attributes: 105 } as const;

export const statuses = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;

/** Bits of the flags of OPEN. */
export const openBits = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

const attributeBits = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x8000_0000 } as const;

/** Members that are absent are not known, or not to be changed. Times are seconds since the epoch. */
export interface Attributes {
  readonly size?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** kind and permission bits as in st_mode of inode(7) */
  readonly mode?: number;
  readonly times?: { readonly accessed: number; readonly modified: number };
}

/** A packet that does not hold what its type asks for. */
export class BadPacket extends Error {}

/** Longest packet that is taken; clients write at most 256 KiB at once. */
export const longestPacket = 2 ** 18 + 1024;

/** Reads the fields of a packet in order; throws BadPacket when they end early. */
export class PacketReader {
  readonly #packet: Buffer;
  #at = 0;

  constructor(packet: Buffer) {
    this.#packet = packet;
  }

  u8(): number {
    return this.#take(1).readUInt8();
  }

  u32(): number {
    return this.#take(4).readUInt32BE();
  }

  /** Throws BadPacket beyond 2^53. */
  u64(): number {
    const value = Number(this.#take(8).readBigUInt64BE());
    if (!Number.isSafeInteger(value)) throw new BadPacket('a number is too big');
    return value;
  }

  bytes(): Buffer {
    return this.#take(this.u32());
  }

  text(): string {
    const text = this.bytes().toString();
    if (text.includes('\0')) throw new BadPacket('a text holds NUL');
    return text;
  }

  attributes(): Attributes {
    const flags = this.u32();
    const has = (bit: number): boolean => (flags & bit) !== 0;
    const attributes: Attributes = {
      ...(has(attributeBits.size) && { size: this.u64() }),
      ...(has(attributeBits.owner) && { owner: { uid: this.u32(), gid: this.u32() } }),
      ...(has(attributeBits.permissions) && { mode: this.u32() }),
      ...(has(attributeBits.times) && { times: { accessed: this.u32(), modified: this.u32() } }),
    };
    if (!has(attributeBits.extended)) return attributes;
    for (let count = this.u32(); count > 0; count -= 1) {
      this.bytes();
      this.bytes();
    }
    return attributes;
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#packet.length) throw new BadPacket('the packet is too short');
    this.#at += length;
    return this.#packet.subarray(this.#at - length, this.#at);
  }
}

/** Collects the fields of a packet. */
export class PacketWriter {
  readonly #parts: Buffer[] = [];

  u8(value: number): this {
    this.#parts.push(Buffer.of(value));
    return this;
  }

  u32(...values: readonly number[]): this {
    const part = Buffer.alloc(4 * values.length);
    values.forEach((value, index) => part.writeUInt32BE(value >>> 0, 4 * index));
    this.#parts.push(part);
    return this;
  }

  u64(value: number): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(BigInt(value));
    this.#parts.push(part);
    return this;
  }

  bytes(value: Buffer): this {
    this.u32(value.length);
    this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  attributes({ size, owner, mode, times }: Attributes): this {
    const flags =
      (size === undefined ? 0 : attributeBits.size) +
      (owner ? attributeBits.owner : 0) +
      (mode === undefined ? 0 : attributeBits.permissions) +
      (times ? attributeBits.times : 0);
    this.u32(flags);
    if (size !== undefined) this.u64(size);
    if (owner) this.u32(owner.uid, owner.gid);
    if (mode !== undefined) this.u32(mode);
    if (times) this.u32(times.accessed, times.modified);
    return this;
  }

  /** The whole packet with its length. */
  packet(): Buffer {
    const length = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    return Buffer.concat([head, ...this.#parts], length + 4);
  }
}
