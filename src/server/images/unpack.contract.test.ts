import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { StatePaths } from '../paths.ts';
import { makeTar, paxRecords, type Entry } from './testing/make-tar.ts';
import { readArchiveMetadata } from './read-metadata.ts';
import { unpackImage } from './unpack.ts';
import type { UnpackOptions } from './unpack-tar.ts';

const scratch = mkdtempSync('/tmp/unpack-test-');
const paths = new StatePaths(path.join(scratch, 'state'));
const folder = path.join(scratch, 'volume');
const victim = path.join(scratch, 'victim');
afterAll(() => rmSync(scratch, { recursive: true }));
beforeEach(() => {
  for (const name of [paths.images, folder, victim]) {
    rmSync(name, { recursive: true, force: true });
    mkdirSync(name, { recursive: true });
  }
  writeFileSync(path.join(victim, 'file'), 'untouched');
});

const metadata: Entry = { name: 'metadata.yaml', content: 'architecture: x86_64\n' };
const rootfs: Entry = { name: 'rootfs', type: '5', mode: 0o755 };
const good: readonly Entry[] = [metadata, rootfs, { name: 'rootfs/etc', type: '5', mode: 0o755 }];

function addImage(main: Buffer, root?: Buffer): { fingerprint: string; split: boolean } {
  const fingerprint = createHash('sha256').update(main).digest('hex');
  writeFileSync(path.join(paths.images, fingerprint), main);
  if (root) writeFileSync(path.join(paths.images, `${fingerprint}.rootfs`), root);
  return { fingerprint, split: root !== undefined };
}

async function unpack(entries: readonly Entry[], options: UnpackOptions = {}): Promise<void> {
  await unpackImage({ paths }, addImage(makeTar(entries)), folder, options);
}

/** A tree with owners, links, a device and a file capability, as images have. */
function makeTree(): string {
  const tree = path.join(scratch, 'tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(path.join(tree, 'rootfs/etc'), { recursive: true });
  mkdirSync(path.join(tree, 'templates'));
  writeFileSync(path.join(tree, 'metadata.yaml'), 'architecture: x86_64\n');
  writeFileSync(path.join(tree, 'templates/a.tpl'), '{{ container.name }}');
  writeFileSync(path.join(tree, 'rootfs/etc/file'), 'content', { mode: 0o640 });
  chownSync(path.join(tree, 'rootfs/etc/file'), 1234, 65534);
  symlinkSync('/etc/file', path.join(tree, 'rootfs/absolute'));
  symlinkSync('../../../../etc', path.join(tree, 'rootfs/climbing'));
  execFileSync('ln', [path.join(tree, 'rootfs/etc/file'), path.join(tree, 'rootfs/hard')]);
  execFileSync('mknod', [path.join(tree, 'rootfs/null'), 'c', '1', '3']);
  execFileSync('setcap', ['cap_net_raw=ep', path.join(tree, 'rootfs/etc/file')]);
  return tree;
}

function expectTree(): void {
  const file = lstatSync(path.join(folder, 'rootfs/etc/file'));
  expect({ uid: file.uid, gid: file.gid, mode: file.mode & 0o7777, links: file.nlink }).toEqual({
    uid: 1234,
    gid: 65534,
    mode: 0o640,
    links: 2,
  });
  expect(lstatSync(path.join(folder, 'rootfs/absolute')).isSymbolicLink()).toBe(true);
  expect(lstatSync(path.join(folder, 'rootfs/climbing')).isSymbolicLink()).toBe(true);
  expect(lstatSync(path.join(folder, 'rootfs/null')).isCharacterDevice()).toBe(true);
  expect(execFileSync('getcap', [path.join(folder, 'rootfs/etc/file')]).toString()).toContain('cap_net_raw=ep');
  expect(readdirSync(folder).sort()).toEqual(['metadata.yaml', 'rootfs', 'templates']);
}

describe('formats', () => {
  const compressors: readonly (readonly [string, ...string[]])[] = [
    ['cat'],
    ['gzip'],
    ['xz', '-T1'],
    ['zstd', '-q'],
    ['bzip2'],
  ];

  test.each(compressors)('a unified archive through %s', async (program, ...args) => {
    const tar = execFileSync('tar', ['-C', makeTree(), '--xattrs', '-cf', '-', '.']);
    const image = addImage(execFileSync(program, args, { input: tar, maxBuffer: 2 ** 26 }));
    expect((await readArchiveMetadata(path.join(paths.images, image.fingerprint))).architecture).toBe('x86_64');
    await unpackImage({ paths }, image, folder);
    expectTree();
  });

  test.each(['--format=gnu', '--format=posix', '--format=oldgnu'])(
    'tar %s with long names and sparse files',
    async format => {
      const tree = makeTree();
      const long = `rootfs/${'a-long-name/'.repeat(20)}`;
      mkdirSync(path.join(tree, long), { recursive: true });
      execFileSync('truncate', ['--size=5M', path.join(tree, long, 'sparse')]);
      execFileSync('sh', [
        '-c',
        `for i in 1 2 3 4 5 6 7 8 9 10; do dd if=/dev/urandom of="$1" bs=4k count=1 seek=$((i*100)) conv=notrunc status=none; done`,
        'sh',
        path.join(tree, long, 'sparse'),
      ]);
      const tar = execFileSync(
        'tar',
        ['-C', tree, format, '--sparse', '-cf', '-', 'metadata.yaml', 'templates', 'rootfs'],
        { maxBuffer: 2 ** 26 },
      );
      await unpackImage({ paths }, addImage(tar), folder);
      const [before, after] = [tree, folder].map(root => readFileSync(path.join(root, long, 'sparse')));
      expect(after?.equals(before ?? Buffer.alloc(0))).toBe(true);
    },
  );

  test('a split image with a squashfs root file system', async () => {
    const tree = makeTree();
    const squashfs = path.join(scratch, 'rootfs.squashfs');
    execFileSync('mksquashfs', [path.join(tree, 'rootfs'), squashfs, '-noappend', '-quiet', '-no-progress']);
    const meta = execFileSync('tar', ['-C', tree, '-czf', '-', 'metadata.yaml', 'templates']);
    await unpackImage({ paths }, addImage(meta, readFileSync(squashfs)), folder);
    expectTree();
  });

  test('a split image with an archive, whose members have leading slashes', async () => {
    const tree = makeTree();
    const root = execFileSync('tar', [
      '-C',
      path.join(tree, 'rootfs'),
      '--xattrs',
      '--transform=s,^\\./,/,S',
      '-Pcf',
      '-',
      '.',
    ]);
    const meta = execFileSync('tar', ['-C', tree, '-cJf', '-', 'metadata.yaml', 'templates']);
    await unpackImage({ paths }, addImage(meta, root), folder);
    expect(readFileSync(path.join(folder, 'rootfs/etc/file'), 'utf8')).toBe('content');
  });
});

describe('archives that reach out', () => {
  const climbing = paxRecords({ path: '../victim/pax' });
  const evil: readonly (readonly [string, readonly Entry[]])[] = [
    ['a name that climbs', [...good, { name: '../victim/file', content: 'x' }]],
    ['a name that climbs behind folders', [...good, { name: 'rootfs/etc/../../../victim/file', content: 'x' }]],
    ['a pax name that climbs', [...good, { name: 'PaxHeader', type: 'x', content: climbing }, { name: 'rootfs/a' }]],
    [
      'a GNU name that climbs',
      [...good, { name: '././@LongLink', type: 'L', content: '../victim/l\0' }, { name: 'rootfs/a' }],
    ],
    ['a global pax name', [...good, { name: 'PaxHeader', type: 'g', content: climbing }, { name: 'rootfs/a' }]],
    ['rootfs as a link', [metadata, { name: 'rootfs', type: '2', link: victim }]],
    [
      'rootfs as a link with a file through it',
      [metadata, { name: 'rootfs', type: '2', link: victim }, { name: 'rootfs/file', content: 'x' }],
    ],
    ['rootfs replaced by a link later', [...good, { name: './rootfs/', type: '2', link: victim }]],
    ['templates as a link', [...good, { name: 'templates', type: '2', link: victim }]],
    [
      'a template as a link',
      [...good, { name: 'templates', type: '5' }, { name: 'templates/a', type: '2', link: '/etc/shadow' }],
    ],
    [
      'a template as a hard link',
      [...good, { name: 'templates', type: '5' }, { name: 'templates/a', type: '1', link: 'rootfs/x' }],
    ],
    ['metadata.yaml as a link', [rootfs, { name: 'metadata.yaml', type: '2', link: '/etc/passwd' }]],
    ['metadata.yaml as a device', [rootfs, { name: 'metadata.yaml', type: '3' }]],
    ['backup.yaml', [...good, { name: 'backup.yaml', content: 'x' }]],
    ['a hard link that climbs', [...good, { name: 'rootfs/h', type: '1', link: '../victim/file' }]],
    ['a hard link to an absolute name', [...good, { name: 'rootfs/h', type: '1', link: path.join(victim, 'file') }]],
    [
      'a file through an absolute link',
      [...good, { name: 'rootfs/l', type: '2', link: victim }, { name: 'rootfs/l/file', content: 'x' }],
    ],
    [
      'a file through a link that climbs',
      [...good, { name: 'rootfs/l', type: '2', link: '../../victim' }, { name: 'rootfs/l/file', content: 'x' }],
    ],
    ['a folder that is a file', [metadata, { name: 'rootfs', content: 'x' }]],
    ['the top as a link', [...good, { name: '.', type: '2', link: victim }]],
    ['an unknown type', [...good, { name: 'rootfs/x', type: 'Z' }]],
    ['no rootfs', [metadata]],
    ['no metadata.yaml', [rootfs]],
    ['no members', []],
  ];

  test.each(evil)('%s: nothing is written there, nothing is left', async (_what, entries) => {
    await expect(unpack(entries)).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(readdirSync(victim)).toEqual(['file']);
    expect(readFileSync(path.join(victim, 'file'), 'utf8')).toBe('untouched');
    expect(lstatSync(path.join(victim, 'file')).nlink).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a link of the guest to anywhere is only a link', async () => {
    await unpack([...good, { name: 'rootfs/l', type: '2', link: victim }]);
    expect(lstatSync(path.join(folder, 'rootfs/l')).isSymbolicLink()).toBe(true);
  });
});

describe('limits', () => {
  test('a small archive that unpacks to much', async () => {
    const tar = makeTar([...good, { name: 'rootfs/zeros', content: Buffer.alloc(2 ** 26) }]);
    const image = addImage(execFileSync('zstd', ['-q'], { input: tar, maxBuffer: 2 ** 27 }));
    await expect(unpackImage({ paths }, image, folder, { limits: { bytes: 2 ** 20 } })).rejects.toMatchObject({
      code: 'out-of-space',
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a sparse file that claims much', async () => {
    const records = paxRecords({ 'GNU.sparse.major': '1', 'GNU.sparse.realsize': String(2 ** 50) });
    const entries = [...good, { name: 'PaxHeader', type: 'x', content: records }, { name: 'rootfs/s', content: '0\n' }];
    await expect(unpack(entries)).rejects.toMatchObject({ code: 'out-of-space' });
  });

  test('a size that lies about what follows', async () => {
    await expect(unpack([...good, { name: 'rootfs/x', content: 'x', size: 2 ** 20 }])).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  test('many members', async () => {
    const many = Array.from({ length: 200 }, (_, index) => ({ name: `rootfs/${String(index)}` }));
    await expect(unpack([...good, ...many], { limits: { members: 100 } })).rejects.toThrow(/more than 100 members/);
  });

  test('a squashfs that unpacks to much', async () => {
    const tree = makeTree();
    execFileSync('truncate', ['--size=64M', path.join(tree, 'rootfs/zeros')]);
    const squashfs = path.join(scratch, 'bomb.squashfs');
    execFileSync('mksquashfs', [path.join(tree, 'rootfs'), squashfs, '-noappend', '-quiet', '-no-progress']);
    const image = addImage(makeTar([metadata]), readFileSync(squashfs));
    await expect(unpackImage({ paths }, image, folder, { limits: { bytes: 2 ** 20 } })).rejects.toMatchObject({
      code: 'out-of-space',
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a metadata.yaml without end', async () => {
    const image = addImage(makeTar([{ name: 'metadata.yaml', content: 'x'.repeat(2 ** 21) }, rootfs]));
    await expect(readArchiveMetadata(path.join(paths.images, image.fingerprint))).rejects.toThrow(/larger than/);
  });

  test.each(['truncated', 'noise'])('a %s archive', async what => {
    const whole = execFileSync('zstd', ['-q'], {
      input: makeTar([...good, { name: 'rootfs/r', content: Buffer.alloc(2 ** 20, 'ab1') }]),
      maxBuffer: 2 ** 26,
    });
    const image = addImage(what === 'noise' ? Buffer.alloc(5000, 'noise') : whole.subarray(0, whole.length - 20));
    await expect(unpackImage({ paths }, image, folder)).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('stops when it is cancelled', async () => {
    const image = addImage(makeTar(good));
    await expect(unpackImage({ paths }, image, folder, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(existsSync(path.join(folder, 'rootfs'))).toBe(false);
  });
});
