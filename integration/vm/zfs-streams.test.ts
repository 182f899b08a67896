import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestDaemon } from '../harness/daemon.ts';
import { settled, zpoolOf } from '../harness/fixture.ts';
import { litterIn, usePeers } from '../harness/peers.ts';

// Every call costs seconds of emulation: what a user does with the command line, all else by the API.
const { here, there } = usePeers({ storage: 'zfs' });
const work = mkdtempSync('/tmp/lxdl-streams-');
const volumes = '/1.0/storage-pools/default/volumes/custom';

/** Datasets and snapshots of a volume with their GUIDs: equal on both sides of a stream. */
function guidsOf(daemon: TestDaemon, volume: string): readonly string[] {
  const root = `${zpoolOf(daemon)}/${volume}`;
  const args = ['list', '-H', '-r', '-t', 'snapshot', '-s', 'createtxg', '-o', 'name,guid', root];
  const text = execFileSync('zfs', args, { encoding: 'utf8' });
  return text.split('\n').flatMap(line => line.split('@')[1] ?? []);
}

async function must(daemon: TestDaemon, method: string, url: string, body?: unknown): Promise<unknown> {
  const { json } = await daemon.operate(method, url, body);
  const operation = json?.metadata as { err?: string } | undefined;
  if (json?.error || operation?.err) throw new Error(`${method} ${url}: ${json?.error || operation?.err || ''}`);
  return json?.metadata;
}

async function write(name: string, text: string): Promise<void> {
  await must(here, 'POST', `/1.0/instances/${name}/files?path=/home/state`, text);
}
async function stateOf(daemon: TestDaemon, name: string): Promise<string> {
  return (await daemon.request('GET', `/1.0/instances/${name}/files?path=/home/state`)).body;
}
const snapshot = (name: string, of = '/1.0/instances/pet'): Promise<unknown> =>
  must(here, 'POST', `${of}/snapshots`, { name });

async function expectClean(): Promise<void> {
  const passing = (): readonly string[] =>
    execFileSync('zfs', ['list', '-H', '-t', 'all', '-o', 'name'], { encoding: 'utf8' })
      .split('\n')
      .filter(name => /\.temporary-|@copy-|\/deleted\/./.test(name));
  const left = (): readonly string[] => [...passing(), ...litterIn(here), ...litterIn(there)];
  await settled(() => left().length === 0, 60_000);
  expect(left()).toEqual([]);
}

beforeAll(async () => {
  await must(here, 'POST', '/1.0/instances', { name: 'pet', source: { type: 'image', alias: 'tiny' } });
  await write('pet', 'one');
  await snapshot('first');
  await write('pet', 'two');
  await snapshot('second');
  await write('pet', 'now');
});
afterAll(() => rmSync(work, { recursive: true }));

test('an instance is copied to another server with the very snapshots of its file system', async () => {
  await here.must('copy', 'pet', 'there:pet');
  expect(guidsOf(there, 'containers/pet')).toEqual(guidsOf(here, 'containers/pet'));
  expect(guidsOf(there, 'containers/pet').map(line => line.split('\t')[0])).toEqual([
    'snapshot-first',
    'snapshot-second',
  ]);
  expect(await stateOf(there, 'pet')).toBe('now');
  await expectClean();
});

test('a refresh sends what is new, and keeps the old until that is whole', async () => {
  await must(there, 'POST', '/1.0/instances/pet/files?path=/home/state', 'changed there');
  await write('pet', 'x'.repeat(2 ** 20));
  await snapshot('third');
  await write('pet', 'newest');
  await must(here, 'DELETE', '/1.0/instances/pet/snapshots/second');
  await here.must('copy', 'pet', 'there:pet', '--refresh');
  expect(guidsOf(there, 'containers/pet')).toEqual(guidsOf(here, 'containers/pet'));
  expect(await stateOf(there, 'pet')).toBe('newest');
  const started = await must(there, 'PUT', '/1.0/instances/pet/state', { action: 'start', timeout: 60 });
  expect(started).toMatchObject({ status: 'Success' });
  await must(there, 'PUT', '/1.0/instances/pet/state', { action: 'stop', force: true, timeout: 60 });
  await expectClean();
});

test('snapshots that are no longer one line are copied too', async () => {
  await must(here, 'PUT', '/1.0/instances/pet', { restore: 'first' });
  await write('pet', 'branched');
  await snapshot('fourth');
  await here.must('copy', 'pet', 'there:pet', '--refresh');
  expect(await stateOf(there, 'pet')).toBe('branched');
  await must(there, 'PUT', '/1.0/instances/pet', { restore: 'third' });
  expect((await stateOf(there, 'pet')).length).toBe(2 ** 20);
  await must(there, 'DELETE', '/1.0/instances/pet');
  await expectClean();
});

/** Exact values of properties of ZFS. */
function propertiesOf(daemon: TestDaemon, volume: string, names: string): readonly string[] {
  const args = ['get', '-Hp', '-o', 'value', names, `${zpoolOf(daemon)}/${volume}`];
  return execFileSync('zfs', args, { encoding: 'utf8' }).trim().split('\n');
}

test('a custom volume is copied and refreshed, and has its keys', async () => {
  const config = { size: '1GiB', 'zfs.blocksize': '16KiB', 'zfs.use_refquota': 'true' };
  await must(here, 'POST', volumes, { name: 'data', config });
  await snapshot('v0', `${volumes}/data`);
  await here.must('storage', 'volume', 'copy', 'default/data', 'there:default/data');
  await snapshot('v1', `${volumes}/data`);
  await here.must('storage', 'volume', 'copy', 'default/data', 'there:default/data', '--refresh');
  expect(guidsOf(there, 'custom/default_data')).toEqual(guidsOf(here, 'custom/default_data'));
  const names = 'quota,refquota,recordsize';
  for (const daemon of [here, there])
    expect(propertiesOf(daemon, 'custom/default_data', names)).toEqual(['0', String(2 ** 30), String(2 ** 14)]);
  const changed = { ...config, 'zfs.use_refquota': 'false', 'zfs.reserve_space': 'true' };
  await must(here, 'PATCH', `${volumes}/data`, { config: changed });
  expect(propertiesOf(here, 'custom/default_data', `${names},reservation`)).toEqual([
    String(2 ** 30),
    '0',
    String(2 ** 14),
    String(2 ** 30),
  ]);
  await must(there, 'DELETE', `${volumes}/data`);
});

test('backups as streams are exported and imported', async () => {
  const [file, volume] = [path.join(work, 'pet.tar'), path.join(work, 'data.tar')];
  const optimized = ['--optimized-storage', '--compression', 'none'];
  await here.must('export', 'pet', file, ...optimized);
  expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n')).toEqual([
    'backup/index.yaml',
    ...['first', 'third', 'fourth'].map(name => `backup/snapshots/${name}.bin`),
    'backup/container.bin',
  ]);
  await there.must('import', file, 'back');
  expect(await stateOf(there, 'back')).toBe('branched');
  await must(there, 'PUT', '/1.0/instances/back', { restore: 'third' });
  expect((await stateOf(there, 'back')).length).toBe(2 ** 20);
  await here.must('storage', 'volume', 'export', 'default', 'data', volume, ...optimized);
  await there.must('storage', 'volume', 'import', 'default', volume, 'back');
  expect(guidsOf(there, 'custom/default_back')).toEqual(guidsOf(here, 'custom/default_data'));
  await must(there, 'DELETE', `${volumes}/back`);
  await must(there, 'DELETE', '/1.0/instances/back');
  await must(here, 'DELETE', `${volumes}/data`);
  await must(here, 'DELETE', '/1.0/instances/pet');
  await expectClean();
});
