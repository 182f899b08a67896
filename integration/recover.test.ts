import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

const containers = (pool: string): string => path.join(daemon.directory, 'storage-pools', pool, 'containers');
const backupFile = (pool: string, name: string): string => path.join(containers(pool), name, 'backup.yaml');

beforeAll(async () => {
  await daemon.must('storage', 'create', 'plain', 'dir');
});

beforeEach(async () => {
  for (const name of ['pet', 'cat']) await daemon.cli(['delete', name, '--force']);
  await daemon.must('init', 'tiny', 'pet', '-c', 'user.name=Rex');
  await daemon.must('snapshot', 'pet', 'young');
  execFileSync('sh', ['-c', `echo older > ${containers('default')}/pet/rootfs/etc/age`]);
  await daemon.must('snapshot', 'pet', 'old');
  await daemon.must('init', 'tiny', 'cat', '-s', 'plain');
  const text = (): string => readFileSync(backupFile('default', 'pet'), 'utf8');
  const written = (): boolean => existsSync(backupFile('plain', 'cat')) && text().includes('name: old');
  expect(await settled(() => existsSync(backupFile('default', 'pet')) && written())).toBe(true);
});

async function lose(...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await daemon.must('sql', 'global', statement);
  // the daemon may have its pools in memory: those that lost their rows are unknown to the next one
  await daemon.terminate();
  await daemon.start();
}

const loseAll = "DELETE FROM instances WHERE name IN ('pet', 'cat')";

async function expectWhole(): Promise<void> {
  const { json } = await daemon.request('GET', '/1.0/instances/pet?recursion=1');
  expect(json?.metadata).toMatchObject({
    config: { 'user.name': 'Rex' },
    snapshots: [{ name: 'young' }, { name: 'old' }],
  });
  await daemon.must('start', 'pet');
  expect(await daemon.must('exec', 'pet', '--', 'cat', '/etc/age')).toBe('older\n');
  await daemon.must('stop', 'pet', '--force');
  await daemon.must('restore', 'pet', 'young');
  expect(existsSync(path.join(containers('default'), 'pet/rootfs/etc/age'))).toBe(false);
  await daemon.must('start', 'cat');
}

test('our client brings instances back', async () => {
  await lose(loseAll);
  const { stdout, stderr, status } = await daemon.cli(['recover'], { input: 'no\nyes\nyes\n' });
  expect({ status, stderr: stderr.replace(/Would you like[^:]*: /g, '') }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain(' - Container "pet" on pool "default" in project "default" (includes 2 snapshots)');
  expect(stdout).toContain(' - Container "cat" on pool "plain"');
  await expectWhole();
  const again = await daemon.cli(['recover'], { input: 'no\nyes\n' });
  expect(again.stdout).toContain('No unknown volumes found. Nothing to do.');
});

test('so does the stock daemon program, with custom volumes', async () => {
  await daemon.must('storage', 'volume', 'create', 'default', 'data');
  await daemon.must('storage', 'volume', 'snapshot', 'default', 'data', 'kept');
  await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'pet', 'data', '/data');
  expect(await settled(() => readFileSync(backupFile('default', 'pet'), 'utf8').includes('source: data'))).toBe(true);
  await lose(loseAll, "DELETE FROM storage_volumes WHERE name = 'data'");
  const env = { PATH: process.env['PATH'] ?? '', LXD_DIR: daemon.directory };
  const { stdout, stderr } = spawnSync('lxd', ['recover'], { env, input: 'no\nyes\nyes\n', encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toContain(' - Container "pet" on pool "default" in project "default" (includes 2 snapshots)');
  expect(stdout).toContain(' - Volume "data" on pool "default" in project "default" (includes 1 snapshots)');
  await expectWhole();
  const url = '/1.0/storage-pools/default/volumes/custom/data/snapshots';
  expect((await daemon.request('GET', url)).json?.metadata).toEqual([`${url}/kept`]);
  await daemon.must('delete', 'pet', '--force');
  await daemon.must('storage', 'volume', 'delete', 'default', 'data');
});

test('pools that are not known any more are found by what the user knows of them', async () => {
  await lose(loseAll, "DELETE FROM storage_pools WHERE name = 'default'");
  spawnSync('umount', [path.join(daemon.directory, 'storage-pools/default')]);
  const input = 'yes\ndefault\nbtrfs\n\n\nno\nyes\nyes\n';
  const { stdout } = await daemon.cli(['recover'], { input });
  expect(stdout).toContain(' - UNKNOWN: "default" (backend="btrfs", source="")');
  expect(stdout).toContain(' - Container "pet" on pool "default"');
  await expectWhole();
  const { json } = await daemon.request('GET', '/1.0/storage-pools/default');
  expect(json?.metadata).toMatchObject({ driver: 'btrfs', status: 'Created' });
});

test('a folder that is no pool is refused, and stays as it is', async () => {
  const body = { Pools: [{ name: 'new', driver: 'dir', config: { source: '/etc' } }] };
  const { status, json } = await daemon.request('POST', '/internal/recover/validate', body);
  expect(status).toBe(400);
  expect(json?.error).toContain('"/etc" holds no storage pool');
  expect(existsSync('/etc/containers-snapshots')).toBe(false);
});

test('what is missing is named before anything is done', async () => {
  await daemon.must('profile', 'create', 'special');
  await daemon.must('profile', 'assign', 'pet', 'default,special');
  expect(await settled(() => readFileSync(backupFile('default', 'pet'), 'utf8').includes('special'))).toBe(true);
  await lose(loseAll, "DELETE FROM profiles WHERE name = 'special'");
  const body = { Pools: [{ name: 'default' }, { name: 'plain' }] };
  const { json } = await daemon.request('POST', '/internal/recover/validate', body);
  expect(json?.metadata.DependencyErrors).toEqual(['Profile "special" in project "default"']);
  expect((await daemon.request('POST', '/internal/recover/import', body)).status).toBe(400);
  expect((await daemon.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
  await daemon.must('profile', 'create', 'special');
  await daemon.request('POST', '/internal/recover/import', body);
  await expectWhole();
  await daemon.must('profile', 'assign', 'pet', 'default');
  await daemon.must('profile', 'delete', 'special');
});

test('volumes that are passed over are explained', async () => {
  await daemon.must('trash', 'empty');
  await lose("DELETE FROM instances WHERE name = 'cat'");
  const folder = containers('plain');
  const original = readFileSync(backupFile('plain', 'cat'), 'utf8');
  for (const name of ['bare', 'other', 'linked', 'torn', '9'])
    mkdirSync(path.join(folder, name, 'rootfs'), { recursive: true });
  writeFileSync(path.join(folder, 'other/backup.yaml'), original);
  symlinkSync('/etc/passwd', path.join(folder, 'linked/backup.yaml'));
  writeFileSync(path.join(folder, 'torn/backup.yaml'), original.slice(0, 100));
  try {
    const body = { Pools: [{ name: 'plain' }] };
    const { json } = await daemon.request('POST', '/internal/recover/validate', body);
    const skipped = json?.metadata.SkippedVolumes as { name: string; reason: string }[];
    const reasons = Object.fromEntries(skipped.map(({ name, reason }) => [name, reason]));
    expect(Object.keys(reasons).sort()).toEqual(['9', 'bare', 'linked', 'other', 'torn']);
    expect(reasons).toMatchObject({
      bare: 'it has no backup.yaml',
      other: 'its backup.yaml describes instance "cat" in project "default"',
      '9': 'its name is not that of an instance',
    });
    expect(json?.metadata.UnknownVolumes).toHaveLength(1);
    await daemon.request('POST', '/internal/recover/import', body);
    expect((await daemon.request('GET', '/1.0/instances/cat')).status).toBe(200);
    expect((await daemon.request('GET', '/1.0/instances/other')).status).toBe(404);
  } finally {
    for (const name of ['bare', 'other', 'linked', 'torn', '9']) rmSync(path.join(folder, name), { recursive: true });
  }
});
