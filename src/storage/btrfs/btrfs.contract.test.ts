import { mkdir, readdir, readFile, stat, symlink, writeFile, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';
import type { StorageDriver, Volume } from '../driver.ts';
import { mountedAt } from '../mounts.ts';
import { makeScratchPool, type ScratchPool } from '../testing/scratch-pool.ts';
import { Folder } from '../trees/folder.ts';
import { btrfs } from './driver.ts';

const web: Volume = { kind: 'container', name: 'web' };
const copy: Volume = { kind: 'container', name: 'copy' };

describe('btrfs', () => {
  let scratch: ScratchPool;
  let driver: StorageDriver;

  beforeEach(async () => {
    scratch = await makeScratchPool(btrfs, { size: '256MiB' });
    ({ driver } = scratch);
  });
  afterEach(() => scratch.dispose());

  async function nest(volume: Volume, ...relative: readonly string[]): Promise<void> {
    const top = await driver.mountVolume(volume);
    for (const name of relative) {
      using parent = Folder.open(path.dirname(path.join(top, name)));
      await kernel.btrfsCreateSubvolume(parent.descriptor, path.basename(name));
      await writeFile(path.join(top, name, 'file'), `in ${name}`);
    }
  }

  test('keeps its loop file to root, mounts it with its options and leaves nothing when it is deleted', async () => {
    const { loopFile, mountPoint, folder } = scratch.context as typeof scratch.context & { folder?: string };
    expect(folder).toBe(undefined);
    expect((await stat(loopFile)).mode & 0o777).toBe(0o600);
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    const line = mounts.split('\n').find(entry => entry.includes(` ${mountPoint} `)) ?? '';
    expect(line).toContain('user_subvol_rm_allowed');
    expect(line).toContain('discard=async');
    await driver.deletePool();
    expect(await mountedAt(mountPoint)).toBe(undefined);
    expect(await readdir(path.dirname(loopFile))).toEqual([]);
    expect((await runCommand('losetup', ['-j', loopFile])).stdout).toBe('');
  });

  test('folders are closed to others', async () => {
    await driver.createVolume(web);
    const modeOf = async (relative: string): Promise<string> =>
      ((await stat(path.join(scratch.context.mountPoint, relative))).mode & 0o777).toString(8);
    expect(await Promise.all(['.', 'containers', 'containers/web', 'images', 'custom'].map(modeOf))).toEqual([
      '711',
      '711',
      '100',
      '700',
      '700',
    ]);
  });

  test('subvolumes that a guest nested are kept by snapshots, clones and restored volumes, and deleted', async () => {
    await driver.createVolume(web);
    await nest(web, 'one', 'one/two', 'three');
    await driver.createSnapshot({ volume: web, name: 'snap0' });
    const snapshot = await driver.mountSnapshot({ volume: web, name: 'snap0' });
    expect(await readFile(path.join(snapshot, 'one/two/file'), 'utf8')).toBe('in one/two');
    await expect(writeFile(path.join(snapshot, 'one/two/file'), 'x')).rejects.toMatchObject({ code: 'EROFS' });

    await driver.cloneVolume({ volume: web, name: 'snap0' }, copy);
    await writeFile(path.join(await driver.mountVolume(copy), 'three/file'), 'changed');
    await driver.restoreSnapshot({ volume: web, name: 'snap0' });
    expect(await readFile(path.join(await driver.mountVolume(web), 'three/file'), 'utf8')).toBe('in three');

    await driver.deleteVolume(web);
    await driver.deleteVolume(copy);
    await driver.settle();
    using root = Folder.open(scratch.context.mountPoint);
    expect(await kernel.btrfsNestedSubvolumes(root.descriptor)).toEqual([]);
  });

  test('a quota is enforced, survives a restored snapshot, and is lifted', async () => {
    await driver.createVolume(web);
    await driver.createSnapshot({ volume: web, name: 'empty' });
    expect(await driver.volumeUsage(web)).toBe(undefined);
    await driver.setQuota(web, 16 * 2 ** 20);
    const fill = async (): Promise<void> =>
      await writeFile(path.join(await driver.mountVolume(web), 'big'), Buffer.alloc(24 * 2 ** 20, 1));
    await expect(fill()).rejects.toMatchObject({ errno: -122 });
    await driver.restoreSnapshot({ volume: web, name: 'empty' });
    expect(await driver.volumeUsage(web)).toMatchObject({ total: 16 * 2 ** 20 });
    await expect(fill()).rejects.toMatchObject({ errno: -122 });
    await driver.setQuota(web, undefined);
    await fill();
  });

  test('mountPool() removes what a killed daemon left, and unmountPool() waits for that', async () => {
    await driver.createVolume(web);
    await driver.createSnapshot({ volume: web, name: 'snap0' });
    const { mountPoint } = scratch.context;
    for (const parent of ['containers', 'containers-snapshots/web', 'images']) {
      using folder = Folder.open(path.join(mountPoint, parent));
      await kernel.btrfsCreateSubvolume(folder.descriptor, '.temporary-1');
      await mkdir(path.join(mountPoint, parent, '.temporary-1', 'inside'));
    }
    await mkdir(path.join(mountPoint, '.temporary-receive-x'));
    await mkdir(path.join(mountPoint, 'containers-snapshots', '.temporary-2'));
    expect(await driver.listVolumes()).toEqual([web]);
    expect(await driver.listSnapshots(web)).toEqual(['snap0']);
    await driver.unmountPool();
    const again = scratch.again();
    await again.mountPool();
    await again.settle();
    const left = await readdir(mountPoint, { recursive: true });
    expect(left.filter(name => name.includes('temporary'))).toEqual([]);
    expect(await again.listSnapshots(web)).toEqual(['snap0']);
  });

  test('a volume that was replaced by a link is neither followed nor in the way', async () => {
    const outside = await mkdtemp(path.join(os.tmpdir(), 'outside-'));
    try {
      await writeFile(path.join(outside, 'precious'), 'x');
      await symlink(outside, path.join(scratch.context.mountPoint, 'containers', 'web'));
      const refused = { code: 'failed-precondition' };
      await expect(driver.mountVolume(web)).rejects.toMatchObject(refused);
      await expect(driver.cloneVolume(web, copy)).rejects.toMatchObject(refused);
      await expect(driver.createSnapshot({ volume: web, name: 's' })).rejects.toMatchObject(refused);
      await driver.deleteVolume(web);
      await driver.settle();
      expect(await readdir(outside)).toEqual(['precious']);
      await driver.createVolume(web);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  test('a full pool says so, leaves nothing half-made, and deleting gives the space back', async () => {
    await driver.createVolume(web);
    const top = await driver.mountVolume(web);
    const fill = async (): Promise<void> => await writeFile(path.join(top, 'big'), Buffer.alloc(300 * 2 ** 20, 1));
    await expect(fill()).rejects.toMatchObject({ code: 'ENOSPC' });
    await driver.deleteVolume(web);
    await driver.settle();
    expect(await driver.listVolumes()).toEqual([]);
    await driver.createVolume(web);
  });

  test('a loop file grows and does not shrink', async () => {
    const before = scratch.context.config;
    const { total } = await driver.poolUsage();
    await driver.updatePool(before, { ...before, size: '512MiB' });
    expect((await driver.poolUsage()).total).toBeGreaterThan(total);
    const after = { ...before, size: '512MiB' };
    await expect(driver.updatePool(after, before)).rejects.toMatchObject({ code: 'unsupported' });
  });

  test('an empty folder on btrfs can be a pool of its own', async () => {
    const folder = path.join(scratch.context.mountPoint, 'given');
    await mkdir(folder);
    const inner = await makeScratchPool(btrfs, { source: folder });
    await inner.driver.createVolume(web);
    expect(await readdir(path.join(folder, 'containers'))).toEqual(['web']);
    await inner.dispose();
    expect(await readdir(folder)).toEqual([]);
    const refused = btrfs.completeConfig(
      { source: os.tmpdir() },
      { poolName: 'p', loopFile: path.join(folder, 'p.img') },
    );
    await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('a block device becomes a pool and is known again by its file system', async () => {
    const file = path.join(scratch.folder, 'disk');
    await writeFile(file, '');
    await runCommand('truncate', ['-s', '256M', file]);
    const device = (await runCommand('losetup', ['-f', '--show', file])).stdout.trim();
    try {
      const pool = await makeScratchPool(btrfs, { source: device });
      await pool.driver.createVolume(web);
      await pool.driver.unmountPool();
      const again = pool.again();
      await again.mountPool();
      expect(await again.listVolumes()).toEqual([web]);
      await pool.dispose();
    } finally {
      await runCommand('losetup', ['-d', device]);
    }
  });
});
