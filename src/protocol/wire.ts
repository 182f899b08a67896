import { ApiError } from '#api/error.ts';

/** The wire format of protocol buffers (protobuf.dev/programming-guides/encoding): varints and length-delimited fields. */
const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const maxFields = 100_000;

/** One field of a message: a number for varints, bytes for everything that has a length. */
export interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

/** Reads one level of a message from a peer that nobody vouches for; throws "invalid-argument". */
export function readFields(message: Buffer): readonly Field[] {
  const fields: Field[] = [];
  const cursor = { at: 0 };
  while (cursor.at < message.length) {
    if (fields.length >= maxFields) throw malformed('has too many fields');
    const key = readVarint(message, cursor);
    const number = Number(key >> 3n);
    if (number < 1 || number >= 2 ** 29) throw malformed('has a field of no number');
    const value = readValue(message, cursor, Number(key & 7n));
    if (value !== undefined) fields.push({ number, value });
  }
  return fields;
}

/** Undefined for the fixed sizes, which no message of ours has: unknown fields are passed over. */
function readValue(message: Buffer, cursor: { at: number }, type: number): bigint | Buffer | undefined {
  switch (type) {
    case wireTypes.varint:
      return readVarint(message, cursor);
    case wireTypes.bytes:
      return take(message, cursor, Number(readVarint(message, cursor)));
    case wireTypes.fixed64:
      take(message, cursor, 8);
      return undefined;
    case wireTypes.fixed32:
      take(message, cursor, 4);
      return undefined;
    default:
      throw malformed(`has a field of wire type ${String(type)}`);
  }
}

function take(message: Buffer, cursor: { at: number }, length: number): Buffer {
  const end = cursor.at + length;
  if (end > message.length) throw malformed('is cut off');
  const bytes = message.subarray(cursor.at, end);
  cursor.at = end;
  return bytes;
}

function readVarint(message: Buffer, cursor: { at: number }): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = message[cursor.at];
    if (byte === undefined) throw malformed('is cut off');
    cursor.at += 1;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  throw malformed('has a number that is too long');
}

function malformed(how: string): ApiError {
  return new ApiError('invalid-argument', `Cannot understand the other server: a message ${how}`);
}

/** Builds a message field by field; undefined leaves a field out. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  integer(number: number, value: number | undefined): this {
    if (value === undefined) return this;
    this.#key(number, wireTypes.varint);
    this.#varint(BigInt.asUintN(64, BigInt(value)));
    return this;
  }

  flag(number: number, value: boolean | undefined): this {
    return this.integer(number, value === undefined ? undefined : Number(value));
  }

  text(number: number, value: string | undefined): this {
    return value === undefined ? this : this.#bytes(number, Buffer.from(value));
  }

  message(number: number, value: WireWriter | undefined): this {
    return value === undefined ? this : this.#bytes(number, value.finish());
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #bytes(number: number, value: Buffer): this {
    this.#key(number, wireTypes.bytes);
    this.#varint(BigInt(value.length));
    this.#parts.push(value);
    return this;
  }

  #key(number: number, type: number): void {
    this.#varint((BigInt(number) << 3n) | BigInt(type));
  }

  #varint(given: bigint): void {
    const bytes: number[] = [];
    let value = given;
    while (value > 0x7fn) {
      bytes.push(Number(value & 0x7fn) | 0x80);
      value >>= 7n;
    }
    bytes.push(Number(value));
    this.#parts.push(Buffer.from(bytes));
  }
}

/** Typed access to the fields of one message; a field of another type than asked for is refused. */
export class WireReader {
  readonly #fields: readonly Field[];

  constructor(message: Buffer) {
    this.#fields = readFields(message);
  }

  /** The last one counts, as in every decoder. A 32-bit or 64-bit signed number. */
  integer(number: number): number | undefined {
    const value = this.#last(number);
    if (value === undefined) return undefined;
    if (typeof value !== 'bigint') throw malformed('has text where a number belongs');
    const signed = Number(BigInt.asIntN(64, value));
    if (!Number.isSafeInteger(signed)) throw malformed('has a number that is too large');
    return signed;
  }

  flag(number: number): boolean | undefined {
    const value = this.integer(number);
    return value === undefined ? undefined : value !== 0;
  }

  text(number: number): string | undefined {
    const value = this.#last(number);
    return value === undefined ? undefined : textOf(value);
  }

  texts(number: number): readonly string[] {
    return this.#all(number).map(textOf);
  }

  message(number: number): WireReader | undefined {
    const value = this.#last(number);
    return value === undefined ? undefined : new WireReader(bytesOf(value));
  }

  messages(number: number): readonly WireReader[] {
    return this.#all(number).map(value => new WireReader(bytesOf(value)));
  }

  #all(number: number): readonly (bigint | Buffer)[] {
    return this.#fields.filter(field => field.number === number).map(field => field.value);
  }

  #last(number: number): bigint | Buffer | undefined {
    return this.#all(number).at(-1);
  }
}

function bytesOf(value: bigint | Buffer): Buffer {
  if (typeof value === 'bigint') throw malformed('has a number where text belongs');
  return value;
}

function textOf(value: bigint | Buffer): string {
  const text = bytesOf(value).toString('utf8');
  if (text.includes('�')) throw malformed('has text that is not UTF-8');
  return text;
}
