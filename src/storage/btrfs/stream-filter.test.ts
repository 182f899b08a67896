import { describe, expect, test } from 'vitest';
import { renameTrees } from './stream-filter.ts';

const header = Buffer.from('btrfs-stream\0\x01\0\0\0', 'latin1');
const own = 'aa'.repeat(16);
const parent = 'bb'.repeat(16);

/** One command: length, kind, checksum, attributes as type, length, bytes. */
function command(kind: number, ...attributes: readonly (readonly [number, Buffer])[]): Buffer {
  const parts = attributes.map(([type, bytes]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(type, 0);
    head.writeUInt16LE(bytes.length, 2);
    return Buffer.concat([head, bytes]);
  });
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(10);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt16LE(kind, 4);
  return Buffer.concat([head, body]);
}

const snapshot = command(2, [15, Buffer.from('snap')], [1, Buffer.from(own, 'hex')], [20, Buffer.from(parent, 'hex')]);
const write = command(15, [15, Buffer.from('file')], [19, Buffer.alloc(40_000, 'x')]);

/** Passes the stream through in chunks of a size. */
async function filtered(stream: Buffer, size = 7, knows = true): Promise<Buffer> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < stream.length; at += size) yield stream.subarray(at, at + size);
  }
  const renaming = {
    own: () => 'cc'.repeat(16),
    known: (uuid: string) => Promise.resolve(knows && uuid === parent ? 'dd'.repeat(16) : undefined),
  };
  const out: Buffer[] = [];
  for await (const chunk of renameTrees(chunks(), renaming)) out.push(chunk);
  return Buffer.concat(out);
}

describe('a stream', () => {
  test.each([1, 7, 1000, 2 ** 20])('keeps all but its UUIDs and their checksum, in chunks of %i bytes', async size => {
    const out = await filtered(Buffer.concat([header, snapshot, write]), size);
    const text = out.toString('hex');
    expect(out.length).toBe(header.length + snapshot.length + write.length);
    expect([text.includes(own), text.includes(parent)]).toEqual([false, false]);
    expect([text.includes('cc'.repeat(16)), text.includes('dd'.repeat(16))]).toEqual([true, true]);
    expect(out.subarray(out.length - write.length).equals(write)).toBe(true);
    expect(out.readUInt32LE(header.length + 6)).not.toBe(0);
  });

  test('that builds on what is not known is refused', async () => {
    await expect(filtered(Buffer.concat([header, snapshot]), 100, false)).rejects.toThrow('not here');
  });

  test.each([
    ['begins otherwise', Buffer.from('hello, this is no stream at all')],
    ['is of another version', Buffer.from('btrfs-stream\0\x09\0\0\0', 'latin1')],
    ['is cut off in its header', header.subarray(0, 9)],
    ['is cut off in a command', Buffer.concat([header, snapshot.subarray(0, 30)])],
    ['is cut off in data', Buffer.concat([header, write.subarray(0, 500)])],
    ['has a command of 4 GiB', Buffer.concat([header, Buffer.from('ffffffff010000000000', 'hex')])],
    ['has a UUID that is too short', Buffer.concat([header, command(1, [1, Buffer.alloc(3)])])],
    ['has a tree without a UUID', Buffer.concat([header, command(1, [15, Buffer.from('x')])])],
    [
      'has an attribute that leaves its command',
      Buffer.concat([header, Buffer.from('040000000100000000000100ffff', 'hex')]),
    ],
  ])('that %s is refused', async (_how, stream) => {
    await expect(filtered(stream)).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});
