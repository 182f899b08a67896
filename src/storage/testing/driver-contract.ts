import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot, StorageDriver, Volume } from '../driver.ts';

export interface DriverUnderTest {
  readonly driver: StorageDriver;
  /** unmounts and removes everything */
  dispose(): Promise<void>;
}

const web: Volume = { kind: 'container', name: 'web' };
const copy: Volume = { kind: 'container', name: 'copy' };
const image: Volume = { kind: 'image', name: 'cafe01' };
const snap0: Snapshot = { volume: web, name: 'snap0' };
const snap1: Snapshot = { volume: web, name: 'snap1' };

/** What the StorageDriver contract promises, for a driver whose pool is created and mounted. */
export function describeDriver(name: string, setUp: () => Promise<DriverUnderTest>): void {
  describe(`storage driver ${name}`, () => {
    let under: DriverUnderTest;
    let driver: StorageDriver;

    beforeEach(async () => {
      under = await setUp();
      driver = under.driver;
    });
    afterEach(() => under.dispose());

    async function write(volume: Volume, file: string, content: string): Promise<void> {
      await writeFile(path.join(await driver.mountVolume(volume), file), content);
    }
    async function read(source: Volume | Snapshot, file: string): Promise<string | undefined> {
      const folder = 'volume' in source ? await driver.mountSnapshot(source) : await driver.mountVolume(source);
      return await readFile(path.join(folder, file), 'utf8').catch(() => undefined);
    }
    async function makeWeb(): Promise<void> {
      await driver.createVolume(web);
      await write(web, 'state', 'one');
    }

    describe('a pool', () => {
      test('may be mounted and unmounted twice and keeps its volumes', async () => {
        await makeWeb();
        await driver.mountPool();
        await driver.unmountPool();
        await driver.unmountPool();
        await driver.mountPool();
        expect(await read(web, 'state')).toBe('one');
      });

      test('says how much of it is used', async () => {
        const usage = await driver.poolUsage();
        expect(usage.total).toBeGreaterThan(0);
        expect(usage.used).toBeLessThan(usage.total);
      });

      test('is deleted with its volumes, and deleting it again succeeds', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await driver.deletePool();
        await driver.deletePool();
      });
    });

    describe('volumes', () => {
      test('are created empty and listed by kind and name', async () => {
        for (const volume of [web, image, copy]) await driver.createVolume(volume);
        expect(await readdir(await driver.mountVolume(web))).toEqual([]);
        expect(await driver.listVolumes()).toEqual([copy, web, image]);
        expect([await driver.hasVolume(web), await driver.hasVolume({ ...web, name: 'no' })]).toEqual([true, false]);
      });

      test('createVolume() fails with "already-exists" and keeps what is there', async () => {
        await makeWeb();
        await expect(driver.createVolume(web)).rejects.toMatchObject({ code: 'already-exists' });
        expect(await read(web, 'state')).toBe('one');
      });

      test('mountVolume() may be called twice and fails with "not-found" for what is not there', async () => {
        await driver.createVolume(web);
        expect(await driver.mountVolume(web)).toBe(await driver.mountVolume(web));
        await driver.unmountVolume(web);
        await driver.unmountVolume(web);
        await expect(driver.mountVolume(copy)).rejects.toMatchObject({ code: 'not-found' });
      });

      test('cloneVolume() copies content that then changes apart', async () => {
        await makeWeb();
        await symlink('state', path.join(await driver.mountVolume(web), 'link'));
        await driver.cloneVolume(web, copy);
        await write(web, 'state', 'two');
        expect([await read(web, 'state'), await read(copy, 'state'), await read(copy, 'link')]).toEqual([
          'two',
          'one',
          'one',
        ]);
      });

      test('cloneVolume() fails with "not-found" or "already-exists" and leaves both as they were', async () => {
        await makeWeb();
        await expect(driver.cloneVolume(copy, { ...web, name: 'third' })).rejects.toMatchObject({ code: 'not-found' });
        await driver.createVolume(copy);
        await expect(driver.cloneVolume(web, copy)).rejects.toMatchObject({ code: 'already-exists' });
        expect(await driver.listVolumes()).toEqual([copy, web]);
      });

      test('deleteVolume() takes the snapshots along, frees the name and succeeds when it is gone', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await driver.deleteVolume(web);
        await driver.deleteVolume(web);
        expect(await driver.hasVolume(web)).toBe(false);
        await driver.createVolume(web);
        expect([await driver.listSnapshots(web), await read(web, 'state')]).toEqual([[], undefined]);
      });

      test('renameVolume() takes the snapshots along', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await driver.renameVolume(web, 'copy');
        expect(await driver.listVolumes()).toEqual([copy]);
        expect(await driver.listSnapshots(copy)).toEqual(['snap0']);
        expect(await read({ volume: copy, name: 'snap0' }, 'state')).toBe('one');
      });

      test('renameVolume() takes names that only the daemon gives, and back', async () => {
        await driver.createVolume(web);
        await driver.createSnapshot(snap0);
        await driver.renameVolume(web, 'trash:0a1b2c3d4e5f');
        expect(await driver.hasVolume(web)).toBe(false);
        await driver.createVolume(web);
        await driver.deleteVolume(web);
        await driver.renameVolume({ ...web, name: 'trash:0a1b2c3d4e5f' }, web.name);
        expect(await driver.listSnapshots(web)).toEqual(['snap0']);
      });

      test('renameVolume() refuses a taken name and one that is not there', async () => {
        await makeWeb();
        await driver.createVolume(copy);
        await expect(driver.renameVolume(web, 'copy')).rejects.toMatchObject({ code: 'already-exists' });
        await expect(driver.renameVolume({ ...web, name: 'no' }, 'no2')).rejects.toMatchObject({ code: 'not-found' });
        expect(await read(web, 'state')).toBe('one');
      });

      test.each(['', '.', '..', '../web', 'a/b', 'a\0b', 'a\nb'])('the name %j is refused everywhere', async bad => {
        const volume: Volume = { kind: 'container', name: bad };
        await driver.createVolume(web);
        const refused = { code: 'invalid-argument' };
        await expect(driver.createVolume(volume)).rejects.toMatchObject(refused);
        await expect(driver.cloneVolume(web, volume)).rejects.toMatchObject(refused);
        await expect(driver.renameVolume(web, bad)).rejects.toMatchObject(refused);
        await expect(driver.createSnapshot({ volume: web, name: bad })).rejects.toMatchObject(refused);
        expect(await driver.listVolumes()).toEqual([web]);
      });

      test('setQuota() limits the volume or says "unsupported"; undefined always lifts', async () => {
        await makeWeb();
        const outcome = await driver.setQuota(web, 2 ** 26).then(
          () => 'limited',
          (error: unknown) => (error as { code?: string }).code,
        );
        expect(['limited', 'unsupported']).toContain(outcome);
        if (outcome === 'limited') expect(await driver.volumeUsage(web)).toMatchObject({ total: 2 ** 26 });
        await driver.setQuota(web, undefined);
      });
    });

    describe('snapshots', () => {
      test('keep the content of their moment and are listed oldest first', async () => {
        await makeWeb();
        await driver.createSnapshot({ volume: web, name: 'z-first' });
        await write(web, 'state', 'two');
        await driver.createSnapshot({ volume: web, name: 'a-second' });
        expect(await driver.listSnapshots(web)).toEqual(['z-first', 'a-second']);
        expect(await read({ volume: web, name: 'z-first' }, 'state')).toBe('one');
      });

      test('createSnapshot() refuses a taken name and a volume that is not there', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await write(web, 'state', 'two');
        await expect(driver.createSnapshot(snap0)).rejects.toMatchObject({ code: 'already-exists' });
        await expect(driver.createSnapshot({ volume: copy, name: 's' })).rejects.toMatchObject({ code: 'not-found' });
        expect(await read(snap0, 'state')).toBe('one');
      });

      test('restoreSnapshot() brings the old content back and keeps newer snapshots', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await write(web, 'state', 'two');
        await write(web, 'extra', 'x');
        await driver.createSnapshot(snap1);
        await driver.restoreSnapshot(snap0);
        expect([await read(web, 'state'), await read(web, 'extra')]).toEqual(['one', undefined]);
        expect([await driver.listSnapshots(web), await read(snap1, 'extra')]).toEqual([['snap0', 'snap1'], 'x']);
        await write(web, 'state', 'three');
        expect(await read(snap0, 'state')).toBe('one');
      });

      test('restoreSnapshot() of what is not there fails with "not-found" and changes nothing', async () => {
        await makeWeb();
        await expect(driver.restoreSnapshot(snap0)).rejects.toMatchObject({ code: 'not-found' });
        expect(await read(web, 'state')).toBe('one');
      });

      test('cloneVolume() and cloneSnapshot() copy a snapshot', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await write(web, 'state', 'two');
        await driver.cloneVolume(snap0, copy);
        await driver.cloneSnapshot(snap0, { volume: copy, name: 'old' });
        await write(copy, 'state', 'mine');
        expect(await driver.listSnapshots(copy)).toEqual(['old']);
        expect(await read({ volume: copy, name: 'old' }, 'state')).toBe('one');
        expect(await read(snap0, 'state')).toBe('one');
      });

      test('fillSnapshot() shows the snapshot when it is whole and nothing when filling fails', async () => {
        await makeWeb();
        await driver.fillSnapshot(snap0, folder => writeFile(path.join(folder, 'state'), 'filled'));
        const broken = driver.fillSnapshot(snap1, async folder => {
          await mkdir(path.join(folder, 'half'));
          throw new Error('the source went away');
        });
        await expect(broken).rejects.toThrow('the source went away');
        expect([await driver.listSnapshots(web), await read(snap0, 'state')]).toEqual([['snap0'], 'filled']);
      });

      test('refillVolume() changes content and snapshots at its end', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await driver.refillVolume(web, async (folder, keepSnapshot) => {
          expect(await readFile(path.join(folder, 'state'), 'utf8')).toBe('one');
          await writeFile(path.join(folder, 'state'), 'two');
          await keepSnapshot('snap0');
          await keepSnapshot('snap1');
          await writeFile(path.join(folder, 'state'), 'three');
          expect([await read(web, 'state'), await read(snap0, 'state')]).toEqual(['one', 'one']);
        });
        expect([await read(web, 'state'), await read(snap0, 'state'), await read(snap1, 'state')]).toEqual([
          'three',
          'two',
          'two',
        ]);
        expect([...(await driver.listSnapshots(web))].sort()).toEqual(['snap0', 'snap1']);
      });

      test('refillVolume() that fails changes nothing', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        const broken = driver.refillVolume(web, async (folder, keepSnapshot) => {
          await writeFile(path.join(folder, 'state'), 'half');
          await keepSnapshot('snap0');
          await keepSnapshot('snap1');
          throw new Error('the source went away');
        });
        await expect(broken).rejects.toThrow('the source went away');
        await driver.settle();
        expect([await read(web, 'state'), await read(snap0, 'state')]).toEqual(['one', 'one']);
        expect(await driver.listSnapshots(web)).toEqual(['snap0']);
      });

      test('renameSnapshot() and deleteSnapshot() keep the others; deleting again succeeds', async () => {
        await makeWeb();
        await driver.createSnapshot(snap0);
        await driver.createSnapshot(snap1);
        await expect(driver.renameSnapshot(snap0, 'snap1')).rejects.toMatchObject({ code: 'already-exists' });
        await driver.renameSnapshot(snap0, 'kept');
        await driver.deleteSnapshot(snap1);
        await driver.deleteSnapshot(snap1);
        expect(await driver.listSnapshots(web)).toEqual(['kept']);
        await expect(driver.renameSnapshot(snap0, 'again')).rejects.toMatchObject({ code: 'not-found' });
        expect((await stat(await driver.mountSnapshot({ volume: web, name: 'kept' }))).isDirectory()).toBe(true);
      });
    });
  });
}
