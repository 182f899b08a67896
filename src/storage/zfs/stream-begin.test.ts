import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { parseBegin, readBegin } from './stream-begin.ts';

interface Told {
  readonly guid?: bigint;
  readonly base?: bigint;
  readonly header?: bigint;
  readonly type?: number;
  readonly flags?: number;
}

/** The first record as zfs-send(8) writes it on a little-endian machine. */
function record({ guid = 5984738697606880848n, base = 0n, header = 0x11n, type = 2, flags = 12 }: Told = {}): Buffer {
  const bytes = Buffer.alloc(312);
  bytes.writeBigUInt64LE(0x2f5bacbacn, 8);
  bytes.writeBigUInt64LE(header, 16);
  bytes.writeUInt32LE(type, 32);
  bytes.writeUInt32LE(flags, 36);
  bytes.writeBigUInt64LE(guid, 40);
  bytes.writeBigUInt64LE(base, 48);
  bytes.write('tank/t@1', 56);
  return bytes;
}

test('the beginning tells what a stream makes and what it builds on', () => {
  expect(parseBegin(record())).toEqual({ guid: '5984738697606880848', base: undefined, isClone: false });
  expect(parseBegin(record({ base: 7n, flags: 13 }))).toMatchObject({ base: '7', isClone: true });
});

test('the beginning of another machine is read too', () => {
  const bytes = Buffer.alloc(312);
  bytes.writeBigUInt64BE(0x2f5bacbacn, 8);
  bytes.writeBigUInt64BE(1n, 16);
  bytes.writeUInt32BE(2, 32);
  bytes.writeBigUInt64BE(42n, 40);
  expect(parseBegin(bytes)).toEqual({ guid: '42', base: undefined, isClone: false });
});

test.each([
  ['nothing', Buffer.alloc(0), 'cut off'],
  ['rubbish', Buffer.alloc(400, 'x'), 'none of ZFS'],
  ['a package of streams', record({ header: 0x12n }), 'more than one snapshot'],
  ['a block device', record({ type: 3 }), 'block device'],
])('%s is refused', async (_what, bytes, reason) => {
  const input = Readable.from([bytes], { objectMode: false });
  await expect(readBegin(input)).rejects.toThrow(reason);
  expect(input.destroyed).toBe(true);
});

test('the stream is passed on whole, however it was cut', async () => {
  const all = Buffer.concat([record(), Buffer.alloc(1000, 'data')]);
  const pieces = Array.from({ length: Math.ceil(all.length / 100) }, (_, index) =>
    all.subarray(index * 100, index * 100 + 100),
  );
  const { begin, whole, isRead } = await readBegin(Readable.from(pieces, { objectMode: false }));
  expect([begin.guid, isRead()]).toEqual(['5984738697606880848', false]);
  const got: Buffer[] = [];
  for await (const chunk of whole) got.push(chunk);
  expect([Buffer.concat(got).equals(all), isRead()]).toEqual([true, true]);
});
