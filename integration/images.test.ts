import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeBusyboxImage } from './harness/busybox-image.ts';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs', image: false });
const image = makeBusyboxImage();
const folder = mkdtempSync('/tmp/lxd-like-images-');
afterAll(() => {
  image.remove();
  rmSync(folder, { recursive: true });
});

async function fingerprints(): Promise<readonly string[]> {
  return (await daemon.request('GET', '/1.0/images')).json?.metadata as string[];
}

test('the fingerprint is the hash of the file', async () => {
  await daemon.must('image', 'import', image.file, '--alias', 'tiny');
  const hash = createHash('sha256').update(readFileSync(image.file)).digest('hex');
  expect(await fingerprints()).toEqual([`/1.0/images/${hash}`]);
  const { json } = await daemon.request('GET', `/1.0/images/${hash.slice(0, 12)}`);
  expect(json?.metadata).toMatchObject({ fingerprint: hash, architecture: 'x86_64', properties: { os: 'busybox' } });
});

test('the same image again is refused', async () => {
  const { status, stderr } = await daemon.cli(['image', 'import', image.file]);
  expect({ status, told: /same fingerprint|already/.test(stderr) }).toEqual({ status: 1, told: true });
});

test('an exported image has the same bytes', async () => {
  const file = path.join(folder, 'exported');
  await daemon.must('image', 'export', 'tiny', file);
  const exported = readdirSync(folder).find(name => name.startsWith('exported')) ?? '';
  expect(readFileSync(path.join(folder, exported)).equals(readFileSync(image.file))).toBe(true);
});

test.each(['xz', 'zstd', 'none', 'squashfs'])('an image packed with %s works', async packing => {
  const tree = path.join(folder, `tree-${packing}`);
  mkdirSync(tree);
  execFileSync('tar', ['-C', tree, '-xzf', image.file]);
  const metadata = path.join(folder, `metadata-${packing}.tar`);
  const yaml = readFileSync(path.join(tree, 'metadata.yaml'), 'utf8').replace('Busybox', `Busybox ${packing}`);
  writeFileSync(path.join(tree, 'metadata.yaml'), yaml);
  if (packing === 'squashfs') {
    const rootfs = path.join(folder, 'rootfs.squashfs');
    execFileSync('mksquashfs', [path.join(tree, 'rootfs'), rootfs, '-quiet', '-no-progress']);
    execFileSync('tar', ['-C', tree, '-cf', metadata, 'metadata.yaml', 'templates']);
    await daemon.must('image', 'import', metadata, rootfs, '--alias', packing);
  } else {
    const filter = packing === 'none' ? [] : [`--${packing}`];
    execFileSync('tar', ['-C', tree, ...filter, '-cf', metadata, '.']);
    await daemon.must('image', 'import', metadata, '--alias', packing);
  }
  await daemon.must('launch', packing, `c-${packing}`);
  expect(await daemon.must('exec', `c-${packing}`, '--', 'hostname')).toBe(`c-${packing}\n`);
  await daemon.must('delete', `c-${packing}`, '--force');
  await daemon.must('image', 'delete', packing);
});

test('aliases are made, listed, renamed and deleted', async () => {
  const fingerprint = ((await fingerprints())[0] ?? '').split('/').pop() ?? '';
  await daemon.must('image', 'alias', 'create', 'second', fingerprint);
  await daemon.must('image', 'alias', 'rename', 'second', 'third');
  expect(await daemon.must('image', 'alias', 'list', '--format', 'csv')).toContain('third');
  await daemon.must('image', 'alias', 'delete', 'third');
});

const evil: readonly (readonly [string, (tree: string) => readonly string[]])[] = [
  [
    'a member that climbs',
    tree => ['--transform', 's,^rootfs/etc/passwd,../../../../tmp/lxd-like-escaped,', '-C', tree],
  ],
  [
    'rootfs that is a link',
    tree => {
      execFileSync('rm', ['-rf', path.join(tree, 'rootfs')]);
      symlinkSync('/etc', path.join(tree, 'rootfs'));
      return ['-C', tree];
    },
  ],
  [
    'templates that is a link',
    tree => {
      execFileSync('rm', ['-rf', path.join(tree, 'templates')]);
      symlinkSync('/etc', path.join(tree, 'templates'));
      return ['-C', tree];
    },
  ],
  [
    'metadata.yaml that is a link',
    tree => {
      execFileSync('rm', [path.join(tree, 'metadata.yaml')]);
      symlinkSync('/etc/passwd', path.join(tree, 'metadata.yaml'));
      return ['-C', tree];
    },
  ],
  [
    'no metadata.yaml',
    tree => {
      execFileSync('rm', [path.join(tree, 'metadata.yaml')]);
      return ['-C', tree];
    },
  ],
];

test.each(evil)('an archive with %s makes no container and touches no host file', async (what, options) => {
  const tree = mkdtempSync(path.join(folder, 'evil-'));
  execFileSync('tar', ['-C', tree, '-xzf', image.file]);
  const file = path.join(folder, 'evil.tar');
  const passwd = readFileSync('/etc/passwd', 'utf8');
  execFileSync('tar', ['-P', '-cf', file, ...options(tree), '.']);
  const imported = await daemon.cli(['image', 'import', file, '--alias', 'evil']);
  if (imported.status === 0) {
    const { status } = await daemon.cli(['init', 'evil', 'victim']);
    if (what !== 'a member that climbs') expect(status).toBe(1);
    await daemon.cli(['delete', 'victim']);
    await daemon.cli(['image', 'delete', 'evil']);
  }
  expect(readFileSync('/etc/passwd', 'utf8')).toBe(passwd);
  expect(readdirSync('/tmp')).not.toContain('lxd-like-escaped');
  expect((await daemon.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
});

test('something that is no archive is refused and leaves no file', async () => {
  const file = path.join(folder, 'noise');
  writeFileSync(file, Buffer.alloc(100_000, 'noise'));
  const before = readdirSync(path.join(daemon.directory, 'images'));
  expect((await daemon.cli(['image', 'import', file])).status).toBe(1);
  expect(readdirSync(path.join(daemon.directory, 'images'))).toEqual(before);
});
