import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import { dir } from '#storage/dir/driver.ts';
import { describeDriver } from '#storage/testing/driver-contract.ts';
import { makeScratchPool } from '#storage/testing/scratch-pool.ts';
import { useDaemon } from '../harness/fixture.ts';

// A file system with project quotas, which kernels for tests seldom have.
const scratch = mkdtempSync(path.join(tmpdir(), 'quota-'));
const disk = path.join(scratch, 'disk');
const run = (program = '', ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
let pools = 0;
const newFolder = (): string => {
  const folder = path.join(disk, String((pools += 1)));
  mkdirSync(folder);
  return folder;
};

beforeAll(() => {
  const image = path.join(scratch, 'image');
  run('truncate', '-s', '256M', image);
  run('mkfs.ext4', '-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', image);
  mkdirSync(disk);
  run('mount', '-o', 'loop,prjquota', image, disk);
});
afterAll(() => {
  run('umount', disk);
  rmSync(scratch, { recursive: true });
});

describeDriver('dir with project quotas', () => makeScratchPool(dir, { source: newFolder() }));

const daemon = useDaemon();
const MiB = 2 ** 20;
const place = (name: string): string => path.join(daemon.directory, 'storage-pools/counted/custom', `default_${name}`);
/** Limits are not for the host's root, but for that of a container, who has no rights over the host's resources. */
const fill = (name: string, file: string, size: number): string =>
  run(
    ...['setpriv', '--bounding-set=-sys_resource', '--'],
    ...['dd', 'if=/dev/zero', `of=${path.join(place(name), file)}`, 'bs=1M', `count=${String(size)}`, 'status=none'],
  );
const used = async (name: string): Promise<number> => {
  run('sync', '-f', disk);
  const { json } = await daemon.request('GET', `/1.0/storage-pools/counted/volumes/custom/${name}/state`);
  return Math.round(json?.metadata.usage.used / MiB);
};

test('sizes of volumes and roots are enforced and told, and go with copies', async () => {
  await daemon.must('storage', 'create', 'counted', 'dir', `source=${newFolder()}`);
  await daemon.must('storage', 'volume', 'create', 'counted', 'data', 'size=20MiB');
  fill('data', 'a', 15);
  expect(() => fill('data', 'b', 10)).toThrow('Disk quota exceeded');
  rmSync(path.join(place('data'), 'b'));
  expect(await used('data')).toBe(15);
  const { blocks, bsize } = statfsSync(place('data'));
  expect(blocks * bsize).toBe(20 * MiB); // df in the guest tells the volume's size

  await daemon.must('storage', 'volume', 'copy', 'counted/data', 'counted/twin');
  expect([await used('data'), await used('twin')]).toEqual([15, 15]);
  expect(() => fill('twin', 'b', 10)).toThrow('Disk quota exceeded');
  await daemon.must('storage', 'volume', 'set', 'counted', 'twin', 'size=40MiB');
  fill('twin', 'b', 10);

  await daemon.must('init', '--empty', 'c1', '-s', 'counted', '-d', 'root,size=30MiB');
  const { json } = await daemon.request('GET', '/1.0/instances/c1/state');
  expect(json?.metadata.disk.root.total).toBe(30 * MiB);
  expect((await daemon.request('GET', '/1.0/warnings')).json?.metadata).toEqual([]);
  await daemon.must('delete', 'c1');
});

test('snapshots count for nobody, a restored volume keeps its limit, and lifting it works', async () => {
  await daemon.must('storage', 'volume', 'snapshot', 'counted', 'data', 's0');
  expect(await used('data')).toBe(15);
  fill('data', 'c', 3);
  await daemon.must('storage', 'volume', 'restore', 'counted', 'data', 's0');
  expect(await used('data')).toBe(15);
  expect(() => fill('data', 'b', 10)).toThrow('Disk quota exceeded');
  await daemon.must('storage', 'volume', 'unset', 'counted', 'data', 'size');
  fill('data', 'b', 10);
  expect(await used('data')).toBe(25);
});

test('a tree that was there before is counted from its first limit on', async () => {
  const folder = path.join(place('data'), 'old');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'file'), Buffer.alloc(5 * MiB, 1));
  run('chattr', '-R', '-P', '-p', '0', place('data'));
  await daemon.must('storage', 'volume', 'set', 'counted', 'data', 'size=32MiB');
  expect(await used('data')).toBe(30);
  expect(() => fill('data', 'old/more', 5)).toThrow('Disk quota exceeded');
});

test('no limit of what is deleted stays behind', async () => {
  const [id = ''] = run('lsattr', '-p', '-d', place('twin')).trim().split(/\s+/);
  const folder = openSync(disk, 'r');
  expect(kernel.projectUsage(folder, Number(id))).toMatchObject({ limit: 40 * MiB });
  for (const name of ['data', 'twin']) await daemon.must('storage', 'volume', 'delete', 'counted', name);
  await daemon.must('trash', 'empty', '--all-projects', '--pool', 'counted');
  await daemon.must('storage', 'delete', 'counted');
  expect(kernel.projectUsage(folder, Number(id))).toEqual({ used: 0 });
  closeSync(folder);
});
