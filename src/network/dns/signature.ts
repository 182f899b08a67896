import { createHmac, timingSafeEqual } from 'node:crypto';
import { type DnsQuery, packName, packRecord, Reader, recordTypes } from './wire.ts';

/** Transaction signatures (RFC 8945): a shared key proves who asks, and that nobody changed the answer. */
export interface TsigKey {
  /** lower case, without the final dot */
  readonly name: string;
  readonly secret: Buffer;
}

const algorithms: Readonly<Record<string, string>> = {
  'hmac-sha256': 'sha256',
  'hmac-sha384': 'sha384',
  'hmac-sha512': 'sha512',
};

interface SignatureFields {
  readonly algorithm: string;
  /** seconds since 1970 */
  readonly time: number;
  readonly fudge: number;
  readonly mac: Buffer;
  readonly originalId: number;
}

function parseSignature(data: Buffer): SignatureFields {
  const reader = new Reader(data, 0);
  const algorithm = reader.name();
  const time = reader.take(6).readUIntBE(0, 6);
  const fudge = reader.uint16();
  const mac = reader.take(reader.uint16());
  const originalId = reader.uint16();
  reader.uint16();
  reader.take(reader.uint16());
  if (reader.offset !== data.length) throw new RangeError('A signature is too long');
  return { algorithm, time, fudge, mac, originalId };
}

/** What answers to a query are signed with; undefined unless the query is signed with this key, now. */
export function verifySignature(message: Buffer, query: DnsQuery, key: TsigKey, now: number): Signer | undefined {
  const { signature } = query;
  if (!signature || signature.record.name !== key.name) return undefined;
  let fields: SignatureFields;
  try {
    fields = parseSignature(signature.record.data);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const hash = Object.hasOwn(algorithms, fields.algorithm) ? algorithms[fields.algorithm] : undefined;
  if (hash === undefined || Math.abs(now - fields.time) > Math.min(fields.fudge, 600)) return undefined;
  const unsigned = Buffer.from(message.subarray(0, signature.offset));
  unsigned.writeUInt16BE(fields.originalId, 0);
  unsigned.writeUInt16BE(unsigned.readUInt16BE(10) - 1, 10);
  const expected = createHmac(hash, key.secret)
    .update(unsigned)
    .update(variables(key.name, fields.algorithm, fields.time, fields.fudge))
    .digest();
  const same = expected.length === fields.mac.length && timingSafeEqual(expected, fields.mac);
  return same ? new Signer(key, fields.algorithm, fields.mac) : undefined;
}

/** Signs the messages of one answer, each over the one before. */
export class Signer {
  readonly #key: TsigKey;
  readonly #algorithm: string;
  #before: Buffer;
  #first = true;

  constructor(key: TsigKey, algorithm: string, requestMac: Buffer) {
    this.#key = key;
    this.#algorithm = algorithm;
    this.#before = requestMac;
  }

  sign(message: Buffer, now: number): Buffer {
    const { name, secret } = this.#key;
    const fudge = 300;
    const timed = this.#first ? variables(name, this.#algorithm, now, fudge) : timers(now, fudge);
    const mac = createHmac(algorithms[this.#algorithm] ?? 'sha256', secret)
      .update(prefixed(this.#before))
      .update(message)
      .update(timed)
      .digest();
    this.#first = false;
    this.#before = mac;
    const id = message.subarray(0, 2);
    const data = Buffer.concat([packName(this.#algorithm), timers(now, fudge), prefixed(mac), id, Buffer.alloc(4)]);
    const signed = Buffer.concat([message, packRecord({ name, type: recordTypes.TSIG, class: 255, ttl: 0, data })]);
    signed.writeUInt16BE(signed.readUInt16BE(10) + 1, 10);
    return signed;
  }
}

function timers(time: number, fudge: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntBE(time, 0, 6);
  bytes.writeUInt16BE(fudge, 6);
  return bytes;
}

/** What is signed beside the message: name, class ANY, TTL 0, algorithm, times, no error, no other data. */
function variables(name: string, algorithm: string, time: number, fudge: number): Buffer {
  const fixed = Buffer.from([0, 255, 0, 0, 0, 0]);
  return Buffer.concat([packName(name), fixed, packName(algorithm), timers(time, fudge), Buffer.alloc(4)]);
}

function prefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
