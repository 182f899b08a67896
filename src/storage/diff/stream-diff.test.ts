import { expect, test } from 'vitest';
import { StreamDiff } from './stream-diff.ts';

const attribute = (type: number, text: string): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(type, 0);
  head.writeUInt16LE(Buffer.byteLength(text), 2);
  return Buffer.concat([head, Buffer.from(text)]);
};

function command(code: number, path: string, more: Readonly<Record<number, string>> = {}): Buffer {
  const body = Buffer.concat([
    attribute(15, path),
    ...Object.entries(more).map(([type, text]) => attribute(Number(type), text)),
  ]);
  const head = Buffer.alloc(10);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt16LE(code, 4);
  return Buffer.concat([head, body]);
}

const start = Buffer.concat([Buffer.from('btrfs-stream\0'), Buffer.from([1, 0, 0, 0])]);
const [mkfile, rename, link, unlink, utimes, extent] = [3, 9, 10, 11, 20, 22];

async function diffOf(...commands: readonly Buffer[]): Promise<StreamDiff['changes']> {
  const diff = new StreamDiff();
  const ended = new Promise((resolve, reject) => diff.on('finish', resolve).on('error', reject));
  // byte by byte: commands come in pieces
  for (const byte of Buffer.concat([start, ...commands])) diff.write(Buffer.from([byte]));
  diff.end();
  await ended;
  return diff.changes;
}

test('new things lose their temporary names', async () => {
  expect(await diffOf(command(mkfile, 'o257-7-0'), command(rename, 'o257-7-0', { 16: 'etc/new' }))).toEqual([
    { path: 'etc/new', kind: 'added' },
  ]);
});

test('a file that was replaced has changed', async () => {
  const replaced = [command(mkfile, 'o9-9-0'), command(unlink, 'etc/a'), command(rename, 'o9-9-0', { 16: 'etc/a' })];
  expect(await diffOf(...replaced)).toEqual([{ path: 'etc/a', kind: 'changed' }]);
});

test('a folder that was renamed takes along what is in it, and times alone are no change', async () => {
  const moved = [command(rename, 'a', { 16: 'b' }), command(extent, 'b/deep/file'), command(utimes, 'b/deep/other')];
  expect(await diffOf(...moved)).toEqual([
    { path: 'b', kind: 'renamed', from: 'a' },
    { path: 'b/deep/file', kind: 'changed' },
  ]);
});

test('a second name is added; one in place of the first is a rename', async () => {
  expect(await diffOf(command(link, 'two', { 17: 'one' }))).toEqual([{ path: 'two', kind: 'added' }]);
  expect(await diffOf(command(link, 'two', { 17: 'one' }), command(unlink, 'one'))).toEqual([
    { path: 'two', kind: 'renamed', from: 'one' },
  ]);
});

test('what is no stream is refused', async () => {
  const diff = new StreamDiff();
  const failed = new Promise(resolve => diff.on('error', resolve));
  diff.write(Buffer.alloc(100));
  expect(String(await failed)).toContain('This is no send stream');
});
