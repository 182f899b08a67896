const opcodes = { continuation: 0, text: 1, binary: 2 } as const;

export interface FrameTargets {
  /** bytes of binary messages; they may lie in the chunk that was pushed */
  data(bytes: Buffer): void;
  /** all other frames as they are, in pieces of any size */
  other(bytes: Buffer): void;
}

/**
 * Takes the binary messages out of what a websocket receives (RFC 6455) as it comes, without waiting for a frame to be
 * whole or copying it: what makes the difference for gigabytes.
 */
export class FrameReader {
  readonly #targets: FrameTargets;
  #header: Buffer = Buffer.alloc(0);
  /** bytes of the frame's payload that are still to come */
  #missing = 0;
  #isBinary = false;
  #isOurs = false;
  #mask: Buffer | undefined;
  /** bytes of a masked payload so far */
  #at = 0;

  constructor(targets: FrameTargets) {
    this.#targets = targets;
  }

  push(given: Buffer): void {
    let chunk = given;
    while (chunk.length > 0) chunk = this.#missing > 0 ? this.#payload(chunk) : this.#begin(chunk);
  }

  /** Both return what is left of the chunk. */
  #begin(chunk: Buffer): Buffer {
    const bytes = this.#header.length > 0 ? Buffer.concat([this.#header, chunk]) : chunk;
    const size = headerSize(bytes);
    if (size === undefined) {
      this.#header = Buffer.from(bytes);
      return bytes.subarray(bytes.length);
    }
    this.#header = Buffer.alloc(0);
    const header = bytes.subarray(0, size);
    const opcode = header.readUInt8(0) & 0x0f;
    if (opcode === opcodes.binary || opcode === opcodes.text) this.#isBinary = opcode === opcodes.binary;
    // A bit that no extension was agreed for is for the websocket to refuse.
    const plain = (header.readUInt8(0) & 0x70) === 0;
    this.#isOurs = plain && this.#isBinary && (opcode === opcodes.binary || opcode === opcodes.continuation);
    this.#missing = payloadLength(header);
    this.#mask = maskOf(header);
    this.#at = 0;
    if (!this.#isOurs) this.#targets.other(header);
    return bytes.subarray(size);
  }

  #payload(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.#missing);
    this.#missing -= part.length;
    if (!this.#isOurs) this.#targets.other(part);
    else this.#targets.data(this.#mask ? this.#unmasked(part, this.#mask) : part);
    return chunk.subarray(part.length);
  }

  #unmasked(part: Buffer, mask: Buffer): Buffer {
    for (let index = 0; index < part.length; index += 1)
      part[index] = (part[index] ?? 0) ^ (mask[(this.#at + index) & 3] ?? 0);
    this.#at += part.length;
    return part;
  }
}

/** Bytes of the header, once enough of it is there to know. */
function headerSize(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const second = bytes.readUInt8(1);
  const short = second & 0x7f;
  const size = 2 + (short === 127 ? 8 : short === 126 ? 2 : 0) + (second & 0x80 ? 4 : 0);
  return bytes.length < size ? undefined : size;
}

function payloadLength(header: Buffer): number {
  const short = header.readUInt8(1) & 0x7f;
  if (short === 127) return Number(header.readBigUInt64BE(2));
  return short === 126 ? header.readUInt16BE(2) : short;
}

/** Undefined where it changes nothing. */
function maskOf(header: Buffer): Buffer | undefined {
  if ((header.readUInt8(1) & 0x80) === 0) return undefined;
  const mask = Buffer.from(header.subarray(header.length - 4));
  return mask.every(byte => byte === 0) ? undefined : mask;
}

/** Bytes before the payload of a binary frame as `writeHeader` makes it. */
export function headerRoom(masked: boolean): number {
  return masked ? 14 : 10;
}

/**
 * Writes the header of a whole binary message. A client has to mask what it sends, for the sake of proxies that listen
 * in on plain connections; under TLS a mask of zeros serves as well and costs nothing.
 */
export function writeHeader(frame: Buffer, payloadBytes: number, masked: boolean): void {
  frame[0] = 0x80 | opcodes.binary;
  frame[1] = (masked ? 0x80 : 0) | 127;
  frame.writeBigUInt64BE(BigInt(payloadBytes), 2);
  if (masked) frame.fill(0, 10, 14);
}
