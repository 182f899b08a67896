import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeTar } from '../src/server/images/testing/make-tar.ts';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs', image: false });
const work = mkdtempSync('/tmp/lxdl-volumes-');
const volumes = '/1.0/storage-pools/default/volumes/custom';

const folder = (name: string, pool = 'default'): string =>
  path.join(daemon.directory, 'storage-pools', pool, 'custom', `default_${name}`);

beforeAll(async () => {
  await daemon.must('storage', 'create', 'plain', 'dir');
  await daemon.must('storage', 'volume', 'create', 'default', 'data', 'user.note=x');
  execFileSync('sh', ['-c', 'echo one > a; ln a b; chown 1000:1001 . a; chmod 1770 .'], { cwd: folder('data') });
  await daemon.must('storage', 'volume', 'snapshot', 'default', 'data', 'first');
  execFileSync('sh', ['-c', 'echo two > a; ln -s /etc away'], { cwd: folder('data') });
});

afterAll(async () => {
  await daemon.must('storage', 'volume', 'delete', 'default', 'data');
  rmSync(work, { recursive: true });
});

function listing(of: string): string {
  const format = '%P %y %m %U %G %n %l\n';
  const all = execFileSync('find', [of, '-printf', format], { encoding: 'utf8' });
  return all.replace(/^(\S* d \S+ \S+ \S+) .*/gm, '$1'); // btrfs counts no links of folders
}

async function expectCopy(name: string, pool = 'default'): Promise<void> {
  expect(listing(folder(name, pool)).split('\n').sort()).toEqual(listing(folder('data')).split('\n').sort());
  const { json } = await daemon.request('GET', `/1.0/storage-pools/${pool}/volumes/custom/${name}`);
  expect(json?.metadata).toMatchObject({ name, config: { 'user.note': 'x' } });
  await daemon.must('storage', 'volume', 'restore', pool, name, 'first');
  expect(existsSync(path.join(folder(name, pool), 'away'))).toBe(false);
  await daemon.must('storage', 'volume', 'delete', pool, name);
}

describe('a volume is exported and imported', () => {
  test('as file trees, into any pool', async () => {
    const file = path.join(work, 'trees.tar.gz');
    await daemon.must('storage', 'volume', 'export', 'default', 'data', file);
    await daemon.must('storage', 'volume', 'import', 'default', file, 'copy');
    await expectCopy('copy');
    await daemon.must('storage', 'volume', 'import', 'plain', file);
    await expectCopy('data', 'plain');
  });

  test('as streams', async () => {
    const file = path.join(work, 'streams.tar');
    await daemon.must(
      'storage',
      'volume',
      'export',
      'default',
      'data',
      file,
      '--optimized-storage',
      '--compression',
      'none',
    );
    expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' })).toBe(
      'backup/index.yaml\nbackup/optimized_header.yaml\nbackup/volume-snapshots/first.bin\nbackup/volume.bin\n',
    );
    await daemon.must('storage', 'volume', 'import', 'default', file, 'copy');
    await expectCopy('copy');
  });

  test('by the stock client', async () => {
    const file = path.join(work, 'stock.tar.gz');
    expect(await daemon.lxc(['storage', 'volume', 'export', 'default', 'data', file])).toMatchObject({ status: 0 });
    expect((await daemon.request('GET', `${volumes}/data/backups`)).json?.metadata).toEqual([]);
    expect(await daemon.lxc(['storage', 'volume', 'import', 'default', file, 'copy'])).toMatchObject({ status: 0 });
    await expectCopy('copy');
    expect((await daemon.lxc(['storage', 'volume', 'import', 'default', file])).stderr).toContain('already exists');
    expect((await daemon.lxc(['import', file])).stderr).toContain('holds a custom volume');
  });
});

test('kept backups are made, shown, renamed, downloaded, and go with their volume', async () => {
  await daemon.must('storage', 'volume', 'create', 'default', 'owner');
  const made = await daemon.operate('POST', `${volumes}/owner/backups`, { volume_only: true });
  expect(made.json?.metadata.status).toBe('Success');
  await daemon.operate('POST', `${volumes}/owner/backups/backup0`, { name: 'kept' });
  expect((await daemon.request('GET', `${volumes}/owner/backups?recursion=1`)).json?.metadata).toMatchObject([
    { name: 'kept', volume_only: true, optimized_storage: false },
  ]);
  await daemon.must('storage', 'volume', 'rename', 'default', 'owner', 'heir');
  const kept = path.join(daemon.directory, 'backups/custom/default/default_heir');
  expect(readdirSync(kept)).toEqual(['kept']);
  const { headers } = await daemon.request('GET', `${volumes}/heir/backups/kept/export`);
  expect(Number(headers['content-length'])).toBe(statSync(path.join(kept, 'kept')).size);
  await daemon.must('storage', 'volume', 'delete', 'default', 'heir');
  expect(existsSync(kept)).toBe(false);
});

describe('hostile backups', () => {
  const index = (name: string, config = '{}'): { name: string; content: string } => ({
    name: 'backup/index.yaml',
    content: `name: ${name}\npool: default\nsnapshots: []\noptimized: false\ntype: custom\nconfig:\n  volume: {name: ${name}, config: ${config}, content_type: filesystem}\n`,
  });
  const top = { name: 'backup/volume', type: '5', mode: 0o755 };

  test.each([
    ['a climbing name', [index('../../evil'), top]],
    ['an unknown key', [index('evil', '{nonsense: x}'), top]],
    ['a top that is a link', [index('evil'), { name: 'backup/volume', type: '2', link: '/etc' }]],
    [
      'a file through a link',
      [
        index('evil'),
        top,
        { name: 'backup/volume/l', type: '2', link: '/tmp' },
        { name: 'backup/volume/l/evil', content: 'x' },
      ],
    ],
    ['no volume', [index('evil')]],
    ['an instance in it', [index('evil'), { name: 'backup/container', type: '5' }]],
  ])('with %s are refused, and nothing is left', async (_, entries) => {
    const before = readdirSync(path.dirname(folder('x')));
    const answer = await daemon.request('POST', volumes, makeTar(entries), {
      'content-type': 'application/octet-stream',
    });
    if (answer.json?.type === 'async') {
      const done = await daemon.request('GET', `${answer.json.operation}/wait`);
      expect(done.json?.metadata).toMatchObject({ status: 'Failure', status_code: 400 });
    } else expect(answer.status, answer.body).toBe(400);
    expect((await daemon.request('GET', `${volumes}/evil`)).status).toBe(404);
    expect(readdirSync(path.dirname(folder('x')))).toEqual(before);
    expect(existsSync('/tmp/evil')).toBe(false);
    const uploads = (): readonly string[] => readdirSync(path.join(daemon.directory, 'backups'));
    expect(await settled(() => !uploads().some(name => name.startsWith('lxd_backup_')))).toBe(true);
  });
});
