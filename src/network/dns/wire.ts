/** Parts of DNS messages (RFC 1035, 4) that a server for zone transfers needs. */
export interface DnsQuestion {
  /** lower case, without the final dot; empty for the root */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: Buffer;
}

export interface DnsQuery {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly question: DnsQuestion;
  /** whether the client speaks EDNS (RFC 6891) */
  readonly edns: boolean;
  /** the last record, and the offset at which it begins, when it is a signature (RFC 8945) */
  readonly signature: { readonly record: DnsRecord; readonly offset: number } | undefined;
}

export const recordTypes = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  SSHFP: 44,
  TLSA: 52,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  CAA: 257,
} as const;

export const responseCodes = { ok: 0, formatError: 1, notImplemented: 4, refused: 5, noSuchName: 3 } as const;

const headerSize = 12;

/** Undefined for anything but a well-formed query with one question; nothing may be left over at its end. */
export function parseQuery(message: Buffer): DnsQuery | undefined {
  try {
    return readQuery(message);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readQuery(message: Buffer): DnsQuery | undefined {
  const [flags, questions, answers, authorities, additional] = [2, 4, 6, 8, 10].map(at => message.readUInt16BE(at));
  if (flags === undefined || flags & 0x8000 || questions !== 1 || answers !== 0) return undefined;
  const reader = new Reader(message, headerSize);
  const question = { name: reader.name(), type: reader.uint16(), class: reader.uint16() };
  // the client's SOA, in a request for what has changed since (RFC 1995)
  if ((authorities ?? 0) > 1 || (additional ?? 0) > 4) return undefined;
  for (let index = 0; index < (authorities ?? 0); index += 1) reader.record();
  let edns = false;
  let signature: DnsQuery['signature'];
  for (let index = 0; index < (additional ?? 0); index += 1) {
    const { offset } = reader;
    const record = reader.record();
    if (signature) return undefined;
    if (record.type === recordTypes.OPT) edns = true;
    if (record.type === recordTypes.TSIG) signature = { record, offset };
  }
  if (reader.offset !== message.length) return undefined;
  const opcode = (flags >> 11) & 0xf;
  return { id: message.readUInt16BE(0), opcode, recursionDesired: (flags & 0x100) !== 0, question, edns, signature };
}

/** Reads forward; throws RangeError where the message ends too early or is not well formed. */
export class Reader {
  readonly #bytes: Buffer;
  offset: number;

  constructor(bytes: Buffer, offset: number) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  uint16(): number {
    this.offset += 2;
    return this.#bytes.readUInt16BE(this.offset - 2);
  }

  uint32(): number {
    this.offset += 4;
    return this.#bytes.readUInt32BE(this.offset - 4);
  }

  take(length: number): Buffer {
    if (this.offset + length > this.#bytes.length) throw new RangeError('The message ends too early');
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }

  record(): DnsRecord {
    const name = this.name();
    const [type, recordClass, ttl] = [this.uint16(), this.uint16(), this.uint32()];
    return { name, type, class: recordClass, ttl, data: this.take(this.uint16()) };
  }

  /** A name, lower case. Pointers may only go back, so that no message makes us run in circles. */
  name(): string {
    const labels: string[] = [];
    let position = this.offset;
    let end: number | undefined;
    let length = 0;
    for (;;) {
      const size = this.#bytes.readUInt8(position);
      if (size === 0) break;
      if ((size & 0xc0) === 0xc0) {
        const target = this.#bytes.readUInt16BE(position) & 0x3fff;
        end ??= position + 2;
        if (target >= position || target < headerSize) throw new RangeError('A name points forward');
        position = target;
        continue;
      }
      length += size + 1;
      if (size > 63 || length > 254 || position + 1 + size > this.#bytes.length)
        throw new RangeError('A name is too long');
      const label = this.#bytes.subarray(position + 1, position + 1 + size);
      if (label.some(byte => byte < 0x21 || byte > 0x7e || byte === 0x2e)) throw new RangeError('A name has odd bytes');
      labels.push(label.toString('latin1').toLowerCase());
      position += size + 1;
    }
    this.offset = end ?? position + 1;
    return labels.join('.');
  }
}

/** A name in wire form, without compression; throws RangeError when it is none. */
export function packName(name: string): Buffer {
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .filter(label => label !== '' || name.includes('..'));
  const parts = labels.map(label => {
    if (label === '' || label.length > 63) throw new RangeError(`"${name}" is not a name`);
    return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  });
  const packed = Buffer.concat([...parts, Buffer.from([0])]);
  if (packed.length > 255) throw new RangeError(`"${name}" is too long`);
  return packed;
}

export function packRecord({ name, type, class: recordClass, ttl, data }: DnsRecord): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(recordClass, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([packName(name), fixed, data]);
}

export interface ResponseParts {
  readonly code: number;
  readonly answers: readonly Buffer[];
  /** false in the later messages of a transfer */
  readonly withQuestion?: boolean;
}

export function packResponse(query: DnsQuery, { code, answers, withQuestion = true }: ResponseParts): Buffer {
  const header = Buffer.alloc(headerSize);
  header.writeUInt16BE(query.id, 0);
  const authoritative = code === responseCodes.ok ? 0x0400 : 0;
  header.writeUInt16BE(0x8000 | (query.opcode << 11) | authoritative | (query.recursionDesired ? 0x0100 : 0) | code, 2);
  header.writeUInt16BE(withQuestion ? 1 : 0, 4);
  header.writeUInt16BE(answers.length, 6);
  header.writeUInt16BE(query.edns && withQuestion ? 1 : 0, 10);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(query.question.type, 0);
  tail.writeUInt16BE(query.question.class, 2);
  const question = withQuestion ? [packName(query.question.name), tail] : [];
  // an OPT record: root, type, payload size 1232, no extended code or flags, no options
  const opt = query.edns && withQuestion ? [Buffer.from('00002904d0000000000000', 'hex')] : [];
  return Buffer.concat([header, ...question, ...answers, ...opt]);
}
