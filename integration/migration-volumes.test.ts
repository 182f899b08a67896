import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestDaemon } from './harness/daemon.ts';
import { settled } from './harness/fixture.ts';
import { fingerprintOfTree, litterIn, usePeers } from './harness/peers.ts';

const { here, there } = usePeers();

function folderOf(daemon: TestDaemon, pool: string, name: string): string {
  return path.join(daemon.directory, 'storage-pools', pool, 'custom', `default_${name}`);
}

async function namesAt(daemon: TestDaemon, pool: string): Promise<readonly string[]> {
  return (await daemon.must('storage', 'volume', 'list', pool, '-f', 'csv', '-c', 'n')).split('\n').filter(Boolean);
}

beforeAll(async () => {
  await here.must('storage', 'volume', 'create', 'default', 'data');
  const folder = folderOf(here, 'default', 'data');
  mkdirSync(path.join(folder, 'inner'), { mode: 0o700 });
  writeFileSync(path.join(folder, 'inner/one'), 'one');
  execFileSync('chown', ['-R', '1000:1000', folder]);
  execFileSync('chmod', ['2750', folder]);
  await here.must('storage', 'volume', 'snapshot', 'default', 'data', 'first');
  writeFileSync(path.join(folder, 'two'), 'two');
});

afterAll(async () => {
  await here.must('storage', 'volume', 'delete', 'default', 'data');
});

test.each([
  ['default', 'pull'],
  ['plain', 'push'],
  ['default', 'relay'],
])('a volume is copied to pool %s of another server by %s, refreshed there and moved back', async (pool, mode) => {
  const name = `data-${mode}`;
  await here.must('storage', 'volume', 'copy', 'default/data', `there:${pool}/${name}`, '--mode', mode);
  const source = folderOf(here, 'default', 'data');
  const copy = folderOf(there, pool, name);
  expect(fingerprintOfTree(copy)).toBe(fingerprintOfTree(source));
  expect(await namesAt(there, pool)).toEqual([name, `${name}/first`]);

  writeFileSync(path.join(source, `news-${mode}`), 'news');
  await here.must('storage', 'volume', 'snapshot', 'default', 'data', mode);
  await here.must('storage', 'volume', 'copy', 'default/data', `there:${pool}/${name}`, '--mode', mode, '--refresh');
  expect(fingerprintOfTree(copy)).toBe(fingerprintOfTree(source));
  expect(await namesAt(there, pool)).toContain(`${name}/${mode}`);

  await here.must('storage', 'volume', 'move', `there:${pool}/${name}`, `plain/${name}`);
  expect(fingerprintOfTree(folderOf(here, 'plain', name))).toBe(fingerprintOfTree(source));
  expect(await namesAt(there, pool)).toEqual([]);
  await here.must('storage', 'volume', 'delete', 'plain', name);
  await here.must('storage', 'volume', 'delete', 'default', `data/${mode}`);
  await settled(() => litterIn(here).length + litterIn(there).length === 0);
  expect([...litterIn(here), ...litterIn(there)]).toEqual([]);
});

test('one snapshot becomes a volume, and a taken name is refused', async () => {
  await here.must('storage', 'volume', 'copy', 'default/data/first', 'there:default/old');
  expect(await namesAt(there, 'default')).toEqual(['old']);
  const again = await here.cli(['storage', 'volume', 'copy', 'default/data', 'there:default/old']);
  expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('already exists') as string]);
  await there.must('storage', 'volume', 'delete', 'default', 'old');
});
