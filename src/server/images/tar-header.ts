import { ApiError } from '#api/error.ts';

export const blockSize = 512;

export type MemberType = 'file' | 'hard-link' | 'symbolic-link' | 'device' | 'folder' | 'fifo';

/** A member of an archive with the long names and sizes that its extension headers gave it. */
export interface TarMember {
  /** as in the archive but without "./" and slashes around it; empty for "." */
  readonly name: string;
  readonly type: MemberType;
  /** bytes that follow in the archive */
  readonly storedSize: number;
  /** bytes of the file when unpacked: more than stored when it is sparse */
  readonly size: number;
}

/** A header as it stands, not yet joined with the extension headers before it. */
export interface RawHeader {
  readonly type: string;
  readonly name: string;
  readonly link: string;
  readonly storedSize: number;
  /** of old GNU sparse files */
  readonly realSize: number | undefined;
  /** old GNU sparse files: another block of the sparse map follows */
  readonly mapContinues: boolean;
}

const types: Readonly<Record<string, MemberType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hard-link',
  '2': 'symbolic-link',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'fifo',
};

export function malformed(reason: string): ApiError {
  return new ApiError('invalid-argument', `Malformed archive: ${reason}`);
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every(byte => byte === 0);
}

/** Reads one header block (POSIX.1-2001 ustar, pax; GNU tar's gnu format). */
export function parseHeader(block: Buffer): RawHeader {
  const expected = number(block, 148, 8);
  let sum = 8 * 32;
  for (let index = 0; index < blockSize; index += 1) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  if (sum !== expected) throw malformed('the checksum of a header is wrong');

  const type = String.fromCharCode(block[156] ?? 0);
  const name = text(block, 0, 100);
  const prefix = block.subarray(257, 263).toString('latin1') === 'ustar\0' ? text(block, 345, 155) : '';
  const sparse = type === 'S';
  return {
    type,
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(block, 157, 100),
    storedSize: number(block, 124, 12),
    realSize: sparse ? number(block, 483, 12) : undefined,
    mapContinues: sparse && block[482] !== 0,
  };
}

/** Records of a pax extended header: "LENGTH KEY=VALUE\n" each. */
export function parsePax(body: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let start = 0; start < body.length; ) {
    const space = body.indexOf(0x20, start);
    const length = Number(body.toString('latin1', start, Math.max(space, start)));
    const end = start + length;
    if (space < 0 || !Number.isInteger(length) || end <= space + 1 || end > body.length || body[end - 1] !== 0x0a)
      throw malformed('an extended header is wrong');
    const record = body.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals < 1) throw malformed('an extended header is wrong');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    start = end;
  }
  return records;
}

/** What extension headers say of the member that follows them. */
export interface Extension {
  pax: ReadonlyMap<string, string>;
  longName: string | undefined;
  longLink: string | undefined;
}

/** Joins a header with its extensions. Throws for names that climb, whichever field they come in. */
export function memberOf(header: RawHeader, { pax, longName, longLink }: Extension): TarMember {
  const type = types[header.type];
  if (!type) throw malformed(`members of type ${JSON.stringify(header.type)} are not accepted`);
  const names = [header.name, longName, pax.get('path'), pax.get('GNU.sparse.name')].filter(name => name !== undefined);
  for (const name of names) refuseClimbing(name);
  if (type === 'hard-link')
    for (const link of [header.link, longLink, pax.get('linkpath')]) if (link !== undefined) refuseClimbing(link);
  const storedSize = type === 'file' || type === 'hard-link' ? size(pax.get('size'), header.storedSize) : 0;
  const real = pax.get('GNU.sparse.realsize') ?? pax.get('GNU.sparse.size');
  return {
    name: trimName(names.at(-1) ?? ''),
    type,
    storedSize,
    size: Math.max(storedSize, size(real, header.realSize ?? 0)),
  };
}

function refuseClimbing(name: string): void {
  if (name.includes('\0')) throw malformed('a name holds a NUL');
  if (name.split('/').includes('..')) throw malformed(`the name ${JSON.stringify(name.slice(0, 200))} climbs out of it`);
}

function trimName(name: string): string {
  return name
    .split('/')
    .filter(part => part !== '' && part !== '.')
    .join('/');
}

function size(record: string | undefined, otherwise: number): number {
  if (record === undefined) return otherwise;
  const value = /^\d{1,16}$/.test(record) ? Number(record) : NaN;
  if (!Number.isSafeInteger(value)) throw malformed('a size in an extended header is wrong');
  return value;
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/** Octal digits, or big-endian bytes behind a set top bit (GNU). */
function number(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = (field[0] ?? 0) & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw malformed('a number in a header is out of range');
    return value;
  }
  const digits = field.toString('latin1').replace(/[\0 ]+$/, '').trimStart();
  if (!/^[0-7]*$/.test(digits)) throw malformed('a number in a header is wrong');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}
