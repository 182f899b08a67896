import { ApiError } from '#api/error.ts';

/** Messages between the daemon and ctr-ns, in the host's byte order; native/ns/message.h is the other end. */

const protocolVersion = 1;
const headerBytes = 8;
/** Longer messages travel in a file; a SEQPACKET message may have 64 KiB. */
export const maxInlineBytes = 60_000;
/** MAX_BODY of native/ns/message.h */
export const maxBodyBytes = 8 * 2 ** 20;

export const serveOperations = { exec: 1, signal: 2, mount: 3, unmount: 4 } as const;
export const fileOperations = {
  stat: 1,
  read: 2,
  readLink: 3,
  list: 4,
  write: 5,
  makeDirectory: 6,
  makeLink: 7,
  remove: 8,
  open: 9,
  setAttributes: 10,
  rename: 11,
  listEntries: 12,
  openParent: 13,
  restore: 14,
} as const;

/** Stands for "leave as it is" in owner fields. */
export const keep = 0xffff_ffff;

export const openFlags = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

export const mountFlags = {
  readOnly: 1,
  idmapped: 2,
  recursive: 4,
  isFile: 8,
  noExec: 16,
  noSuid: 32,
  noDev: 64,
  noAtime: 128,
  shared: 256,
  slave: 512,
  unbindable: 1024,
} as const;

const replyKinds = ['done', 'exited', 'failed', 'more'] as const;
export type ReplyKind = (typeof replyKinds)[number];

export interface Reply {
  readonly kind: ReplyKind;
  readonly id: number;
  /** pid, exit status or errno */
  readonly value: number;
  readonly payload: Buffer;
}

/** Collects the fields of a request in order. */
export class Fields {
  readonly #parts: Buffer[] = [];

  u32(...values: readonly number[]): this {
    const part = Buffer.alloc(4 * values.length);
    values.forEach((value, index) => part.writeUInt32LE(value >>> 0, 4 * index));
    this.#parts.push(part);
    return this;
  }

  u64(...values: readonly number[]): this {
    const part = Buffer.alloc(8 * values.length);
    values.forEach((value, index) => part.writeBigUInt64LE(BigInt(value), 8 * index));
    this.#parts.push(part);
    return this;
  }

  /** Throws "invalid-argument" for text with a NUL, which would end the field early. */
  strings(...values: readonly string[]): this {
    for (const value of values) {
      if (value.includes('\0'))
        throw new ApiError('invalid-argument', 'A path, argument or variable must not hold NUL');
      this.#parts.push(Buffer.from(`${value}\0`));
    }
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Header of a request; `bodyInFile` says that the last descriptor is a file with the fields. */
export function encodeHeader(operation: number, id: number, bodyInFile: boolean): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(protocolVersion, 0);
  header.writeUInt8(operation, 1);
  header.writeUInt16LE(bodyInFile ? 1 : 0, 2);
  header.writeUInt32LE(id, 4);
  return header;
}

/** Returns undefined for a message that is no reply. */
export function decodeReply(message: Buffer): Reply | undefined {
  if (message.length < 12 || message.readUInt8(0) !== protocolVersion) return undefined;
  const kind = replyKinds[message.readUInt8(1)];
  if (!kind) return undefined;
  return { kind, id: message.readUInt32LE(4), value: message.readInt32LE(8), payload: message.subarray(12) };
}
