import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBusyboxImage, makeBusyboxRoot } from './harness/busybox-image.ts';
import { useDaemon } from './harness/fixture.ts';
import { rootfsOf } from './harness/peers.ts';

const daemon = useDaemon({ storage: 'btrfs', network: true });
const folder = mkdtempSync('/tmp/lxd-like-rootfs-');
const root = path.join(folder, 'machine');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  makeBusyboxRoot(root);
  mkdirSync(path.join(root, 'usr/lib'), { recursive: true });
  writeFileSync(path.join(root, 'usr/lib/os-release'), 'ID=busybox\nVERSION_ID=1\nPRETTY_NAME="Busy Box"\n');
  writeFileSync(path.join(root, 'home/hers'), 'hers');
  execFileSync('chown', ['1000:1001', path.join(root, 'home/hers')]);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', path.join(root, 'home/hers')]);
});

function pack(name: string, ...words: readonly string[]): string {
  const file = path.join(folder, name);
  execFileSync('tar', ['--xattrs', '-caf', file, ...words]);
  return file;
}

test.each([
  ['an archive', () => pack('a.tar.xz', '-C', root, '.')],
  ['an archive with a folder', () => pack('b.tar.zst', '-C', folder, 'machine')],
  ['a folder', () => root],
])('%s becomes an instance that starts', async (_what, source) => {
  const { status, stdout, stderr } = await daemon.cli(['import-rootfs', source(), 'fresh']);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('Imported fresh: Busy Box, ');
  const hers = path.join(rootfsOf(daemon, 'default', 'fresh'), 'home/hers');
  expect([statSync(hers).uid, statSync(hers).gid, readFileSync(hers, 'utf8')]).toEqual([1000, 1001, 'hers']);
  expect(execFileSync('getfattr', ['--absolute-names', '-d', hers], { encoding: 'utf8' })).toContain('kept');
  const { json } = await daemon.request('GET', '/1.0/instances/fresh');
  expect(json?.metadata).toMatchObject({
    architecture: 'x86_64',
    config: { 'image.os': 'busybox', 'image.release': '1' },
  });
  await daemon.must('start', 'fresh');
  expect(await daemon.must('exec', 'fresh', '--', 'cat', '/home/hers')).toBe('hers');
  await daemon.must('delete', 'fresh', '--force');
});

test('what is no root file system is refused with the command that takes it, and leaves nothing', async () => {
  const image = makeBusyboxImage();
  const refused = await daemon.cli(['import-rootfs', image.file, 'fresh']);
  image.remove();
  expect(refused.stderr).toContain('is an image: use "lxd-like image import"');
  const text = path.join(folder, 'text.tar');
  writeFileSync(text, 'no archive');
  expect((await daemon.cli(['import-rootfs', text, 'fresh'])).stderr).toContain(`Cannot unpack "${text}"`);
  expect((await daemon.cli(['import-rootfs', '/gone', 'fresh'])).stderr).toContain('no archive or folder "/gone"');
  expect((await daemon.cli(['import-rootfs', folder, 'fresh'])).stderr).toContain('no root file system');
  expect((await daemon.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
});
