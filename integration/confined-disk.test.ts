import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

/** A project may be held to some folders of the host; links that its guests plant there must not lead out of them. */
const daemon = useDaemon({ storage: 'dir' });
const folder = mkdtempSync('/tmp/confined-');
const secret = mkdtempSync('/tmp/confined-secret-');

beforeAll(async () => {
  mkdirSync(path.join(folder, 'data'));
  writeFileSync(path.join(folder, 'data', 'note'), 'inside');
  writeFileSync(path.join(secret, 'note'), 'outside');
  symlinkSync(secret, path.join(folder, 'way-out'));
  const config = ['restricted=true', 'restricted.devices.disk=allow', `restricted.devices.disk.paths=${folder}`];
  const options = ['features.images=false', ...config].flatMap(entry => ['-c', entry]);
  await daemon.must('project', 'create', 'held', ...options);
  const root = ['profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default'];
  await daemon.must('--project', 'held', ...root);
  await daemon.must('--project', 'held', 'launch', 'tiny', 'c1');
});
afterAll(async () => {
  await daemon.must('--project', 'held', 'delete', 'c1', '--force');
  await daemon.must('trash', 'empty', '--all-projects');
  await daemon.must('project', 'delete', 'held');
  for (const each of [folder, secret]) rmSync(each, { recursive: true });
});

async function add(name: string, source: string): Promise<{ status: number; stderr: string }> {
  const options = ['disk', `source=${source}`, 'path=/mnt/x'];
  return await daemon.cli(['--project', 'held', 'config', 'device', 'add', 'c1', name, ...options]);
}

test('a folder below is mounted, in a running instance and at its start', async () => {
  expect((await add('data', path.join(folder, 'data'))).status).toBe(0);
  expect(await daemon.must('--project', 'held', 'exec', 'c1', '--', 'cat', '/mnt/x/note')).toBe('inside');
  await daemon.must('--project', 'held', 'restart', 'c1', '--force');
  expect(await daemon.must('--project', 'held', 'exec', 'c1', '--', 'cat', '/mnt/x/note')).toBe('inside');
  await daemon.must('--project', 'held', 'config', 'device', 'remove', 'c1', 'data');
});

test.each([
  ['a folder elsewhere', () => secret, 'not allowed'],
  ['a link that leads out', () => path.join(folder, 'way-out'), 'link'],
  ['a path through such a link', () => path.join(folder, 'way-out', 'note'), 'link'],
])('%s is refused', async (_what, source, reason) => {
  const { status, stderr } = await add('bad', source());
  expect([status, stderr]).toEqual([1, expect.stringContaining(reason)]);
  expect(await daemon.must('--project', 'held', 'config', 'device', 'list', 'c1')).not.toContain('bad');
});
