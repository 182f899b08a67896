import { existsSync, lstatSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });
const state = (...parts: string[]): string => path.join(daemon.directory, ...parts);
const volume = (name: string): string => state('storage-pools/default/custom', `default_${name}`);
const set = async (key: string, value: string): Promise<string> =>
  (await daemon.lxc(['config', 'set', `storage.${key}_volume`, value])).stderr;
const images = (): readonly string[] => readdirSync(state('images')).sort();

test('volumes that cannot be taken are refused', async () => {
  for (const name of ['bk', 'im', 'used', 'full']) await daemon.must('storage', 'volume', 'create', 'default', name);
  await daemon.must('storage', 'volume', 'snapshot', 'default', 'used', 's0');
  writeFileSync(path.join(volume('full'), 'file'), '');
  expect(await set('backups', 'bk')).toContain('must be <pool>/<volume>');
  expect(await set('backups', 'default/')).toContain('must be <pool>/<volume>');
  expect(await set('backups', 'nope/bk')).toContain('not found');
  expect(await set('backups', 'default/nope')).toContain('not found');
  expect(await set('backups', 'default/used')).toContain('cannot have snapshots');
  expect(await set('backups', 'default/full')).toContain('"default/full" is not empty');
  await daemon.must('config', 'set', 'storage.backups_volume', 'default/bk');
  expect(await set('images', 'default/bk')).toContain('other files of the server');
  await daemon.must('config', 'unset', 'storage.backups_volume');
  expect(lstatSync(state('backups')).isDirectory()).toBe(true);
  expect(readdirSync(volume('bk'))).toEqual([]);
});

test('files move to the volume and are used there, also after a restart', async () => {
  const before = images();
  await daemon.must('init', 'tiny', 'c1');
  const made = await daemon.operate('POST', '/1.0/instances/c1/backups', { name: 'b0' });
  expect(made.json?.metadata.status).toBe('Success');
  await daemon.must('config', 'set', 'storage.backups_volume=default/bk', 'storage.images_volume=default/im');
  expect(readlinkSync(state('backups'))).toBe(volume('bk'));
  expect(readlinkSync(state('images'))).toBe(volume('im'));
  expect(images()).toEqual(before);
  expect(readdirSync(state('backups/instances/c1'))).toEqual(['b0']);
  expect(lstatSync(volume('bk')).mode & 0o777).toBe(0o700);

  await daemon.terminate();
  await daemon.start();
  expect(images()).toEqual(before);
  await daemon.must('image', 'alias', 'create', 'again', before[0] ?? '');
  expect((await daemon.request('GET', `/1.0/images/${before[0] ?? ''}/export`)).status).toBe(200);
  await daemon.operate('POST', '/1.0/instances/c1/backups', { name: 'b1' });
  expect(readdirSync(path.join(volume('bk'), 'instances/c1')).sort()).toEqual(['b0', 'b1']);
});

test('such a volume is neither deleted, renamed, moved, snapshotted nor given to instances', async () => {
  const shown = await daemon.request('GET', '/1.0/storage-pools/default/volumes/custom/bk');
  expect(shown.json?.metadata.used_by).toEqual(['/1.0']);
  const refused = async (...words: string[]): Promise<string> =>
    (await daemon.lxc(['storage', 'volume', ...words])).stderr;
  expect(await refused('delete', 'default', 'bk')).toContain('The storage volume is still in use');
  expect(await refused('rename', 'default', 'bk', 'x')).toContain('cannot be renamed: unset "storage.backups_volume"');
  expect(await refused('snapshot', 'default', 'im', 's0')).toContain('cannot have snapshots');
  await daemon.must('storage', 'create', 'other', 'dir');
  const move = { name: 'bk', pool: 'other' };
  const moved = await daemon.operate('POST', '/1.0/storage-pools/default/volumes/custom/bk', move);
  expect(JSON.stringify(moved.json)).toContain('cannot be moved');
  await daemon.must('storage', 'delete', 'other');
  await daemon.must('storage', 'volume', 'attach', 'default', 'bk', 'c1', '/mnt');
  expect((await daemon.cli(['start', 'c1'])).stderr).toContain('cannot be used by instances');
  await daemon.must('storage', 'volume', 'detach', 'default', 'bk', 'c1');
});

test('files move on to another volume and back', async () => {
  const before = images();
  await daemon.must('storage', 'volume', 'create', 'default', 'im2');
  await daemon.must('config', 'set', 'storage.images_volume', 'default/im2');
  expect([images(), readdirSync(volume('im'))]).toEqual([before, []]);
  await daemon.must('storage', 'volume', 'delete', 'default', 'im');
  await daemon.must('config', 'unset', 'storage.images_volume');
  expect(lstatSync(state('images')).isDirectory()).toBe(true);
  expect([images(), readdirSync(volume('im2'))]).toEqual([before, []]);
});

test.each([
  ['after-copy', 'default/im2', false],
  ['after-write', 'default/im2', true],
  ['after-place', '', false],
] as const)('a daemon that dies in a move (%s to "%s") leaves all files in one place', async (point, value, linked) => {
  const before = images();
  await daemon.killAt(`server-folder.${point}`, () => daemon.cli(['config', 'set', 'storage.images_volume', value]));
  expect([lstatSync(state('images')).isSymbolicLink(), images()]).toEqual([linked, before]);
  for (const left of ['images.moving', 'images.old']) expect(existsSync(state(left)), left).toBe(false);
});

test('what such a death has left in a volume does not keep it from being taken', async () => {
  const before = images();
  await daemon.must('config', 'set', 'storage.images_volume', 'default/im2');
  for (const key of ['images', 'backups']) await daemon.must('config', 'unset', `storage.${key}_volume`);
  expect([images(), readdirSync(volume('im2')), readdirSync(volume('bk'))]).toEqual([before, [], []]);
  for (const name of ['bk', 'im2', 'used', 'full']) await daemon.must('storage', 'volume', 'delete', 'default', name);
});
