import { PassThrough } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { MemoryFiles } from '../runtime/testing/memory-files.ts';
import { packetsOf } from './packet-stream.ts';
import { BadPacket, openBits, PacketReader, PacketWriter, replies, requests, statuses } from './packets.ts';
import { SftpSession } from './session.ts';

let session: SftpSession;
beforeEach(() => {
  session = new SftpSession(new MemoryFiles());
});

/** Sends one request and gives a reader behind the type and id of its answer. */
async function ask(type: number, fields: (writer: PacketWriter) => PacketWriter): Promise<[number, PacketReader]> {
  const packet = fields(new PacketWriter().u8(type).u32(7)).packet();
  const reader = new PacketReader((await session.answer(packet.subarray(4))).subarray(4));
  const kind = reader.u8();
  expect(reader.u32()).toBe(7);
  return [kind, reader];
}

async function statusOf(type: number, fields: (writer: PacketWriter) => PacketWriter): Promise<number> {
  const [kind, reader] = await ask(type, fields);
  expect(kind).toBe(replies.status);
  return reader.u32();
}

async function open(path: string, bits: number): Promise<string> {
  const [kind, reader] = await ask(requests.open, writer => writer.text(path).u32(bits).attributes({ mode: 0o600 }));
  expect(kind).toBe(replies.handle);
  return reader.text();
}

test('greets with version 3', async () => {
  const answer = new PacketReader((await session.answer(Buffer.from([1, 0, 0, 0, 3]))).subarray(4));
  expect([answer.u8(), answer.u32(), answer.text()]).toEqual([replies.version, 3, 'posix-rename@openssh.com']);
});

test('a file is written, read, described and removed', async () => {
  const { create, read, write } = openBits;
  const handle = await open('/tmp/note', create | read | write);
  const content = Buffer.from('hello world');
  expect(await statusOf(requests.write, writer => writer.text(handle).u64(0).bytes(content))).toBe(statuses.ok);
  const [, data] = await ask(requests.read, writer => writer.text(handle).u64(6).u32(100));
  expect(data.bytes().toString()).toBe('world');
  expect(await statusOf(requests.read, writer => writer.text(handle).u64(11).u32(1))).toBe(statuses.endOfFile);
  expect(await statusOf(requests.close, writer => writer.text(handle))).toBe(statuses.ok);
  const [, attributes] = await ask(requests.stat, writer => writer.text('tmp/note'));
  expect(attributes.attributes()).toMatchObject({ size: 11, mode: 0o100600, owner: { uid: 0, gid: 0 } });
  expect(await statusOf(requests.setstat, writer => writer.text('/tmp/note').attributes({ size: 5 }))).toBe(
    statuses.ok,
  );
  expect(await statusOf(requests.remove, writer => writer.text('/tmp/note'))).toBe(statuses.ok);
  expect(await statusOf(requests.stat, writer => writer.text('/tmp/note'))).toBe(statuses.noSuchFile);
});

test('a directory is made, listed once, and removed', async () => {
  expect(await statusOf(requests.mkdir, writer => writer.text('/tmp/d').attributes({}))).toBe(statuses.ok);
  expect(await statusOf(requests.mkdir, writer => writer.text('/tmp/d').attributes({}))).toBe(statuses.failure);
  const [, opened] = await ask(requests.opendir, writer => writer.text('/tmp'));
  const handle = opened.text();
  const [, names] = await ask(requests.readdir, writer => writer.text(handle));
  const found = Array.from({ length: names.u32() }, () => {
    const name = names.text();
    names.text();
    names.attributes();
    return name;
  });
  expect(found).toEqual(['.', '..', 'd']);
  expect(await statusOf(requests.readdir, writer => writer.text(handle))).toBe(statuses.endOfFile);
  expect(await statusOf(requests.rmdir, writer => writer.text('/tmp/d'))).toBe(statuses.ok);
});

test('rename refuses what is there, posix-rename replaces it', async () => {
  for (const name of ['a', 'b']) await open(`/tmp/${name}`, openBits.create | openBits.write);
  const names = (writer: PacketWriter): PacketWriter => writer.text('/tmp/a').text('/tmp/b');
  expect(await statusOf(requests.rename, names)).toBe(statuses.failure);
  const extended = await statusOf(requests.extended, writer => names(writer.text('posix-rename@openssh.com')));
  expect(extended).toBe(statuses.ok);
});

test('links are made with the target first, as OpenSSH sends it', async () => {
  expect(await statusOf(requests.symlink, writer => writer.text('etc').text('/tmp/link'))).toBe(statuses.ok);
  const [, link] = await ask(requests.readlink, writer => writer.text('/tmp/link'));
  expect([link.u32(), link.text()]).toEqual([1, 'etc']);
});

test('paths stay inside', async () => {
  const [, real] = await ask(requests.realpath, writer => writer.text('../../etc/./x'));
  expect([real.u32(), real.text()]).toEqual([1, '/etc/x']);
});

test.each([
  ['an unknown request', 99, (writer: PacketWriter) => writer, statuses.unsupported],
  ['a request that ends early', requests.open, (writer: PacketWriter) => writer.u32(100), statuses.badMessage],
  ['a text with NUL', requests.stat, (writer: PacketWriter) => writer.text('/a\0b'), statuses.badMessage],
  [
    'a handle that nobody has',
    requests.read,
    (writer: PacketWriter) => writer.text('9').u64(0).u32(1),
    statuses.failure,
  ],
  [
    'an extension that is not there',
    requests.extended,
    (writer: PacketWriter) => writer.text('x@y'),
    statuses.unsupported,
  ],
])('%s is answered', async (_what, type, fields, expected) => {
  expect(await statusOf(type, fields)).toBe(expected);
});

test('packets are cut out of a stream however it is split; one that is too long ends it', async () => {
  const stream = new PassThrough();
  const bytes = Buffer.concat([new PacketWriter().u8(1).u32(3).packet(), new PacketWriter().u8(2).packet()]);
  for (const byte of bytes) stream.write(Buffer.of(byte));
  stream.end(Buffer.from([0xff, 0, 0, 0]));
  const lengths: number[] = [];
  const read = async (): Promise<void> => {
    for await (const packet of packetsOf(stream)) lengths.push(packet.length);
  };
  await expect(read()).rejects.toThrow(BadPacket);
  expect(lengths).toEqual([5, 1]);
});
