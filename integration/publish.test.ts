import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

beforeAll(async () => {
  await daemon.must('init', 'tiny', 'p1');
  await daemon.must('snapshot', 'p1', 'first');
});
afterAll(async () => {
  await daemon.must('delete', 'p1');
});

test.each(['gzip', 'xz', 'zstd', 'bzip2', 'none', 'squashfs'])('packs with %s what can be launched', async packing => {
  await daemon.must('publish', 'p1', '--alias', packing, '--compression', packing, `packed=${packing}`);
  expect(await daemon.must('image', 'get-property', packing, 'packed')).toBe(`${packing}\n`);
  await daemon.must('launch', packing, 'p2');
  expect(await daemon.must('exec', 'p2', '--', 'hostname')).toBe('p2\n');
  await daemon.must('delete', 'p2', '--force');
  await daemon.must('image', 'delete', packing);
});

test('gives the same bytes for the same content', async () => {
  const once = await daemon.must('publish', 'p1/first', '--compression', 'zstd');
  await daemon.must('image', 'delete', once.trim().split(' ').pop() ?? '');
  expect(await daemon.must('publish', 'p1/first', '--compression', 'zstd')).toBe(once);
  expect((await daemon.cli(['publish', 'p1/first', '--compression', 'zstd'])).stderr).toContain('same fingerprint');
  await daemon.must('image', 'delete', once.trim().split(' ').pop() ?? '');
});

test.each([
  [{ type: 'instance', name: 'nope' }, 404],
  [{ type: 'instance', name: 'p1/first' }, 400],
  [{ type: 'snapshot', name: 'p1' }, 400],
  [{ type: 'instance' }, 400],
])('refuses the source %j', async (source, status) => {
  expect((await daemon.request('POST', '/1.0/images', { source })).status).toBe(status);
});

test('needs a stopped instance and a known program', async () => {
  const packed = { source: { type: 'instance', name: 'p1' }, compression_algorithm: 'sh -c id' };
  expect((await daemon.request('POST', '/1.0/images', packed)).status).toBe(400);
  await daemon.must('start', 'p1');
  expect((await daemon.cli(['publish', 'p1'])).stderr).toContain('Use --force');
  const { json } = await daemon.operate('POST', '/1.0/images', { source: packed.source });
  expect(json?.metadata).toMatchObject({ status: 'Failure', err: expect.stringContaining('running') as string });
  await daemon.must('stop', 'p1', '--force');
});

test('a published image can be unpacked, and its folder be imported as an image', async () => {
  await daemon.must('publish', 'p1', '--alias', 'packed', '--compression', 'none', 'from=p1');
  await daemon.must('image', 'export', 'packed', path.join(daemon.directory, 'packed'));
  await daemon.must('image', 'delete', 'packed');
  const folder = path.join(daemon.directory, 'tree');
  mkdirSync(folder);
  execFileSync('tar', ['-C', folder, '-xf', path.join(daemon.directory, 'packed.tar')]);
  await daemon.must('image', 'import', folder, '--alias', 'folder');
  expect(await daemon.must('image', 'get-property', 'folder', 'from')).toBe('p1\n');
  await daemon.must('launch', 'folder', 'p3');
  await daemon.must('delete', 'p3', '--force');
});
