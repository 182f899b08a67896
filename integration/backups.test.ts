import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Entry, makeTar } from '../src/server/images/testing/make-tar.ts';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });
const work = mkdtempSync('/tmp/lxdl-backups-');

const volume = (name: string, pool = 'default'): string =>
  path.join(daemon.directory, 'storage-pools', pool, 'containers', name);

beforeAll(async () => {
  await daemon.must('storage', 'create', 'plain', 'dir');
  await daemon.must('init', 'tiny', 'web', '-c', 'user.note=a: b', '-c', 'limits.memory=64MiB');
  await daemon.must('snapshot', 'web', 'one');
  const rootfs = path.join(volume('web'), 'rootfs');
  execFileSync(
    'sh',
    ['-c', 'echo two > etc/two; ln etc/two etc/two.link; ln -s /etc etc/away; chown 1000:1000 etc/two', '-'],
    {
      cwd: rootfs,
    },
  );
  execFileSync('truncate', ['-s', '20M', path.join(rootfs, 'root/holes')]);
  await daemon.must('snapshot', 'web', 'two');
});

afterAll(() => rmSync(work, { recursive: true }));

function listing(folder: string): string {
  const format = '%P %y %m %U %G %s %n %l\n';
  return execFileSync('find', [folder, '-mindepth', '1', '-printf', format], { encoding: 'utf8' })
    .split('\n')
    .map(line => line.replace(/^(\S+ d \S+ \S+ \S+) .*/, '$1'))
    .sort()
    .join('\n');
}

async function expectCopy(name: string, pool = 'default'): Promise<void> {
  expect(listing(path.join(volume(name, pool), 'rootfs'))).toBe(listing(path.join(volume('web'), 'rootfs')));
  const { json } = await daemon.request('GET', `/1.0/instances/${name}?recursion=1`);
  expect(json?.metadata).toMatchObject({ config: { 'user.note': 'a: b', 'limits.memory': '64MiB' } });
  expect(((json?.metadata.snapshots ?? []) as { name: string }[]).map(snapshot => snapshot.name)).toEqual([
    'one',
    'two',
  ]);
  await daemon.must('restore', name, 'one');
  expect(existsSync(path.join(volume(name, pool), 'rootfs/etc/two'))).toBe(false);
  await daemon.must('delete', name);
}

describe('backup.yaml', () => {
  const file = (): string => path.join(volume('web'), 'backup.yaml');
  const described = (): any => parse(readFileSync(file(), 'utf8')); // oxlint-disable-line typescript/no-explicit-any

  test('stands beside the root file system and follows every change', async () => {
    expect(await settled(() => existsSync(file()) && described().snapshots?.length === 2)).toBe(true);
    expect(statSync(file()).mode & 0o7777).toBe(0o400);
    expect(described()).toMatchObject({
      container: { name: 'web', config: { 'user.note': 'a: b' }, expanded_devices: { root: { pool: 'default' } } },
      pool: { name: 'default', driver: 'btrfs' },
      profiles: [{ name: 'default' }],
      volume: { name: 'web', type: 'container' },
      volume_snapshots: [{ name: 'one' }, { name: 'two' }],
    });
    await daemon.must('config', 'set', 'web', 'user.more=x');
    expect(await settled(() => described().container.config['user.more'] === 'x')).toBe(true);
    await daemon.must('config', 'unset', 'web', 'user.more');
    await daemon.must('profile', 'set', 'default', 'user.shared=y');
    expect(await settled(() => described().container.expanded_config['user.shared'] === 'y')).toBe(true);
    await daemon.must('profile', 'unset', 'default', 'user.shared');
  });

  test('is never written through a link', async () => {
    const victim = path.join(work, 'victim');
    execFileSync('sh', ['-c', `echo precious > ${victim}`]);
    unlinkSync(file());
    symlinkSync(victim, file());
    await daemon.must('config', 'set', 'web', 'user.link=1');
    expect(await settled(() => lstatSync(file(), { throwIfNoEntry: false })?.isFile() === true)).toBe(true);
    expect(readFileSync(victim, 'utf8')).toBe('precious\n');
    await daemon.must('config', 'unset', 'web', 'user.link');
  });
});

describe('export and import', () => {
  test.each([
    ['gzip', []],
    ['zstd', ['--compression', 'zstd -1']],
    ['none', ['--compression', 'none']],
  ])('with our client: %s', async (kind, options) => {
    const file = path.join(work, `ours-${kind}`);
    await daemon.must('export', 'web', file, ...options);
    expect(readdirSync(path.join(daemon.directory, 'backups')).filter(name => name.startsWith('lxd_'))).toEqual([]);
    await daemon.must('import', file, 'copied');
    await expectCopy('copied');
  });

  test('of streams, and into another pool of file trees', async () => {
    const streams = path.join(work, 'streams.tar.gz');
    await daemon.must('export', 'web', streams, '--optimized-storage');
    await daemon.must('import', streams, 'streamed');
    await expectCopy('streamed');
    const refused = await daemon.cli(['import', streams, 'streamed', '-s', 'plain']);
    expect(refused.stderr).toContain('holds streams of driver "btrfs"');
    const trees = path.join(work, 'trees.tar.gz');
    await daemon.must('export', 'web', trees);
    await daemon.must('import', trees, 'moved', '-s', 'plain');
    await expectCopy('moved', 'plain');
  });

  test('without snapshots, from a pool of file trees, while it runs', async () => {
    await daemon.must('copy', 'web', 'running', '-s', 'plain');
    await daemon.must('start', 'running');
    const file = path.join(work, 'running.tar');
    await daemon.must('export', 'running', file, '--instance-only', '--compression', 'none');
    await daemon.must('delete', 'running', '--force');
    await daemon.must('import', file);
    expect((await daemon.request('GET', '/1.0/instances/running/snapshots')).json?.metadata).toEqual([]);
    await daemon.must('start', 'running');
    expect(await daemon.must('exec', 'running', '--', 'cat', '/etc/two')).toBe('two\n');
    await daemon.must('delete', 'running', '--force');
  });

  test('with the stock client', async () => {
    const file = path.join(work, 'stock.tar.gz');
    expect((await daemon.lxc(['export', 'web', file])).status).toBe(0);
    expect((await daemon.request('GET', '/1.0/instances/web/backups')).json?.metadata).toEqual([]);
    const { status, stderr } = await daemon.lxc(['import', file, 'stocked']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    await expectCopy('stocked');
    const taken = await daemon.lxc(['import', file]);
    expect(taken.stderr).toContain('already exists');
  });

  test('keeps ids and addresses, unless they are taken', async () => {
    const config = async (name: string): Promise<Record<string, string>> =>
      (await daemon.request('GET', `/1.0/instances/${name}`)).json?.metadata.config as Record<string, string>;
    await daemon.must('init', 'tiny', 'pet');
    const id = (await config('pet'))['volatile.uuid'];
    const file = path.join(work, 'pet.tar.gz');
    await daemon.must('export', 'pet', file);
    await daemon.must('import', file, 'second');
    expect((await config('second'))['volatile.uuid']).not.toBe(id);
    await daemon.must('delete', 'pet');
    await daemon.must('import', file);
    expect((await config('pet'))['volatile.uuid']).toBe(id);
    await daemon.must('delete', 'pet');
    await daemon.must('delete', 'second');
  });
});

describe('kept backups', () => {
  test('are made, shown, renamed, downloaded and deleted', async () => {
    const made = await daemon.operate('POST', '/1.0/instances/web/backups', {
      expires_at: '2099-01-31T12:00:00Z',
      compression_algorithm: 'none',
    });
    expect(made.json?.metadata).toMatchObject({ status: 'Success', resources: { backups: ['/1.0/backups/backup0'] } });
    expect((await daemon.request('GET', '/1.0/instances/web/backups')).json?.metadata).toEqual([
      '/1.0/instances/web/backups/backup0',
    ]);
    await daemon.operate('POST', '/1.0/instances/web/backups/backup0', { name: 'kept' });
    const { json } = await daemon.request('GET', '/1.0/instances/web/backups/kept');
    expect(json?.metadata).toMatchObject({
      name: 'kept',
      expires_at: '2099-01-31T12:00:00.000Z',
      instance_only: false,
    });
    const whole = await daemon.request('GET', '/1.0/instances/web?recursion=1');
    expect(whole.json?.metadata.backups).toMatchObject([{ name: 'kept' }]);
    const file = path.join(daemon.directory, 'backups/instances/web/kept');
    const { headers } = await daemon.request('GET', '/1.0/instances/web/backups/kept/export');
    expect(Number(headers['content-length'])).toBe(statSync(file).size);
    expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).split('\n')[0]).toBe('backup/index.yaml');
    await daemon.operate('DELETE', '/1.0/instances/web/backups/kept');
    expect(existsSync(file)).toBe(false);
    expect((await daemon.request('GET', '/1.0/instances/web/backups/kept')).status).toBe(404);
  });

  test('go with their instance, and are renamed with it', async () => {
    await daemon.must('init', 'tiny', 'owner');
    await daemon.operate('POST', '/1.0/instances/owner/backups', { name: 'b', compression_algorithm: 'none' });
    await daemon.must('rename', 'owner', 'heir');
    expect(readdirSync(path.join(daemon.directory, 'backups/instances/heir'))).toEqual(['b']);
    await daemon.must('delete', 'heir');
    expect(existsSync(path.join(daemon.directory, 'backups/instances/heir'))).toBe(false);
  });

  test.each([
    [{ name: 'a/b' }, 'slashes'],
    [{ name: '..' }, '".."'],
    [{ compression_algorithm: 'zstd -o /etc/passwd' }, 'zstd'],
    [{ compression_algorithm: 'sh' }, 'Invalid compression algorithm'],
    [{ expires_at: 'soon' }, 'expires_at'],
  ])('refuse %j', async (body, message) => {
    const { status, json } = await daemon.request('POST', '/1.0/instances/web/backups', body);
    expect(status).toBe(400);
    expect(json?.error).toContain(message);
  });
});

describe('hostile backups', () => {
  const index = (change: (text: string) => string = text => text): Entry => ({
    name: 'backup/index.yaml',
    content: change(
      'name: evil\nbackend: btrfs\npool: default\nsnapshots: [s0]\noptimized: false\ntype: container\nconfig:\n' +
        '  container: {name: evil, architecture: x86_64, profiles: [default], config: {}, devices: {}}\n' +
        '  snapshots: [{name: s0, profiles: [default]}]\n',
    ),
  });
  const tree = (root: string): readonly Entry[] => [
    { name: root, type: '5' },
    { name: `${root}/rootfs`, type: '5', mode: 0o755 },
    { name: `${root}/rootfs/x`, content: 'x' },
  ];
  const whole: readonly Entry[] = [index(), ...tree('backup/snapshots/s0'), ...tree('backup/container')];
  const bomb = Array.from(
    { length: 12 },
    (_, i) => `a${String(i)}: &a${String(i)} [${i ? `*a${String(i - 1)},*a${String(i - 1)}` : 'x'}]\n`,
  );
  const archives: readonly (readonly [string, Buffer])[] = [
    ['nothing', Buffer.alloc(0)],
    ['no archive', Buffer.from('x'.repeat(4096))],
    ['an empty archive', makeTar([])],
    ['a truncated archive', makeTar(whole).subarray(0, 3000)],
    ['no index', makeTar(tree('backup/container'))],
    ['an index that is a link', makeTar([{ name: 'backup/index.yaml', type: '2', link: '/etc/passwd' }])],
    ['an index of aliases', makeTar([index(text => bomb.join('') + text), ...whole.slice(1)])],
    ['a climbing name', makeTar([index(text => text.replace(/name: evil/g, 'name: ../../evil')), ...whole.slice(1)])],
    ['no instance', makeTar([index(text => text.replace(/ {2}container:.*\n/, '')), ...whole.slice(1)])],
    [
      'a null snapshot',
      makeTar([index(text => text.replace('[{name: s0, profiles: [default]}]', '[null]')), ...whole.slice(1)]),
    ],
    [
      'a snapshot without description',
      makeTar([index(text => text.replace(/ {2}snapshots:.*\n/, '')), ...whole.slice(1)]),
    ],
    [
      'an unknown key',
      makeTar([index(text => text.replace('config: {}', 'config: {nonsense: x}')), ...whole.slice(1)]),
    ],
    [
      'a line break in a value',
      makeTar([index(text => text.replace('config: {}', 'config: {environment.A: "x\\ny"}')), ...whole.slice(1)]),
    ],
    ['a missing snapshot', makeTar([index(), ...tree('backup/container')])],
    ['a missing volume', makeTar([index(), ...tree('backup/snapshots/s0')])],
    [
      'a snapshot too many',
      makeTar([...whole.slice(0, 4), ...tree('backup/snapshots/s1'), ...tree('backup/container')]),
    ],
    ['a volume twice', makeTar([...whole, ...tree('backup/snapshots/s0'), ...tree('backup/container')])],
    ['a foreign member', makeTar([index(), { name: 'backup/../../evil', content: 'x' }])],
    ['a member elsewhere', makeTar([index(), { name: 'etc/evil', content: 'x' }])],
    [
      'a rootfs that is a link',
      makeTar([
        ...whole.slice(0, 4),
        { name: 'backup/container', type: '5' },
        { name: 'backup/container/rootfs', type: '2', link: '/etc' },
      ]),
    ],
    [
      'a backup.yaml that is a link',
      makeTar([...whole, { name: 'backup/container/backup.yaml', type: '2', link: '/etc/passwd' }]),
    ],
    [
      'a template that is a link',
      makeTar([
        ...whole,
        { name: 'backup/container/templates', type: '5' },
        { name: 'backup/container/templates/a.tpl', type: '2', link: '/etc/shadow' },
      ]),
    ],
    ['a volume that is a file', makeTar([...whole.slice(0, 4), { name: 'backup/container', content: 'x' }])],
    [
      'a climbing stream header',
      makeTar([
        index(text => text.replace('optimized: false', 'optimized: true')),
        { name: 'backup/optimized_header.yaml', content: 'subvolumes: [{path: ../../x, snapshot: s0}]\n' },
      ]),
    ],
    [
      'a stream that is none',
      makeTar([
        index(text => text.replace('optimized: false', 'optimized: true')),
        { name: 'backup/snapshots/s0.bin', content: 'x'.repeat(100) },
      ]),
    ],
  ];

  test.each(archives)('with %s are refused, and nothing is left', async (_, archive) => {
    const before = readdirSync(path.join(daemon.directory, 'storage-pools/default/containers'));
    const answer = await daemon.request('POST', '/1.0/instances', archive, {
      'content-type': 'application/octet-stream',
    });
    if (answer.json?.type === 'async') {
      const done = await daemon.request('GET', `${answer.json.operation}/wait`);
      expect(done.json?.metadata).toMatchObject({ status: 'Failure', status_code: 400 });
    } else {
      expect(answer.status, answer.body).toBeGreaterThanOrEqual(400);
      expect(answer.status, answer.body).toBeLessThan(500);
    }
    expect((await daemon.request('GET', '/1.0/instances/evil')).status).toBe(404);
    expect(readdirSync(path.join(daemon.directory, 'storage-pools/default/containers'))).toEqual(before);
    expect(existsSync(path.join(daemon.directory, 'storage-pools/default/containers-snapshots/evil'))).toBe(false);
    const uploads = (): readonly string[] => readdirSync(path.join(daemon.directory, 'backups'));
    expect(await settled(() => !uploads().some(name => name.startsWith('lxd_backup_')))).toBe(true);
  });

  test('a file that is no archive is called a backup, not an image', async () => {
    const { stderr } = await daemon.cli(['import', '/etc/hosts']);
    expect(stderr).toContain('The backup is neither a tar archive');
  });

  test('the same archive without the evil is taken', async () => {
    const answer = await daemon.request('POST', '/1.0/instances', makeTar(whole), {
      'content-type': 'application/octet-stream',
    });
    await daemon.request('GET', `${answer.json?.operation ?? ''}/wait`);
    expect((await daemon.request('GET', '/1.0/instances/evil')).status).toBe(200);
    await daemon.must('delete', 'evil');
  });

  test('an upload that breaks off leaves nothing', async () => {
    const socket = path.join(daemon.directory, 'unix.socket');
    const args = [
      '-s',
      '--unix-socket',
      socket,
      '-H',
      'Content-Type: application/octet-stream',
      '-T',
      '-',
      '-X',
      'POST',
    ];
    const curl = spawn('curl', [...args, 'http://x/1.0/instances'], { stdio: ['pipe', 'ignore', 'ignore'] });
    curl.stdin.write(makeTar(whole).subarray(0, 3000));
    const uploads = (): readonly string[] =>
      readdirSync(path.join(daemon.directory, 'backups')).filter(name => name.startsWith('lxd_backup_'));
    expect(await settled(() => uploads().length > 0)).toBe(true);
    curl.kill('SIGKILL');
    expect(await settled(() => uploads().length === 0)).toBe(true);
  });
});
