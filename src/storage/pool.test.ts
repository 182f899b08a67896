import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeyedLock } from '#base/keyed-lock.ts';
import { silentLog } from '#base/log.ts';
import type { Snapshot, Volume } from './driver.ts';
import { Pool } from './pool.ts';
import { MemoryDriver } from './testing/memory-driver.ts';

const web: Volume = { kind: 'container', name: 'web' };
const copy: Volume = { kind: 'container', name: 'copy' };
const fingerprint = 'cafe01';

describe('Pool', () => {
  const locks = new KeyedLock();
  let pool: Pool;
  let other: Pool;

  const makePool = async (name: string): Promise<Pool> =>
    new Pool(name, new MemoryDriver(await mkdtemp(path.join(os.tmpdir(), 'pool-'))), locks, silentLog);
  const read = (from: Pool, source: Volume | Snapshot): Promise<string> =>
    from.withMounted(source, folder => readFile(path.join(folder, 'state'), 'utf8'));
  const write = (volume: Volume, text: string): Promise<void> =>
    pool.withMounted(volume, folder => writeFile(path.join(folder, 'state'), text));
  const fill = (folder: string): Promise<void> => writeFile(path.join(folder, 'state'), 'image');

  beforeEach(async () => {
    [pool, other] = [await makePool('one'), await makePool('two')];
    await Promise.all([pool.mount(), other.mount()]);
  });
  afterEach(() => Promise.all([pool.driver.deletePool(), other.driver.deletePool()]));

  test('createFromImage() fills an image once however many instances are made at once', async () => {
    let fills = 0;
    const slowFill = async (folder: string): Promise<void> => {
      fills += 1;
      await sleep(20);
      await fill(folder);
    };
    const volumes = Array.from({ length: 8 }, (_, i): Volume => ({ kind: 'container', name: `c${String(i)}` }));
    await Promise.all(volumes.map(volume => pool.createFromImage(volume, fingerprint, slowFill)));
    expect(fills).toBe(1);
    expect(await Promise.all(volumes.map(volume => read(pool, volume)))).toEqual(volumes.map(() => 'image'));
  });

  test('a failed fill leaves nothing and the next one starts afresh', async () => {
    const broken = pool.createFromImage(web, fingerprint, async folder => {
      await writeFile(path.join(folder, 'half'), '');
      throw new Error('the archive is damaged');
    });
    await expect(broken).rejects.toThrow('the archive is damaged');
    expect(await pool.listVolumes()).toEqual([]);
    await pool.createFromImage(web, fingerprint, fill);
    expect(await read(pool, web)).toBe('image');
  });

  test('mount() removes an image volume that was half filled when the daemon was killed', async () => {
    await pool.driver.createVolume({ kind: 'image', name: `filling-${fingerprint}` });
    await pool.mount();
    expect(await pool.listVolumes()).toEqual([]);
  });

  test('deleteImage() waits for clones under way and keeps instances', async () => {
    await pool.ensureImage(fingerprint, fill);
    const creating = pool.createFromImage(web, fingerprint, fill);
    await Promise.all([creating, pool.deleteImage(fingerprint)]);
    await pool.deleteImage(fingerprint);
    expect([await pool.hasImage(fingerprint), await read(pool, web)]).toEqual([false, 'image']);
  });

  test('what is mounted can be neither deleted, renamed nor restored', async () => {
    await pool.createVolume(web);
    await pool.createSnapshot({ volume: web, name: 'snap0' });
    await pool.mountVolume(web);
    await pool.mountVolume(web);
    await pool.unmountVolume(web);
    const busy = { code: 'busy' };
    await expect(pool.deleteVolume(web)).rejects.toMatchObject(busy);
    await expect(pool.renameVolume(web, 'copy')).rejects.toMatchObject(busy);
    await expect(pool.restoreSnapshot({ volume: web, name: 'snap0' })).rejects.toMatchObject(busy);
    await pool.unmountVolume(web);
    await pool.unmountVolume(web);
    await pool.deleteVolume(web);
  });

  test.each([['the same pool'], ['another pool']])('copyVolume() copies snapshots within %s', async where => {
    const target = where === 'the same pool' ? pool : other;
    await pool.createVolume(web);
    await write(web, 'old');
    await pool.createSnapshot({ volume: web, name: 'snap0' });
    await write(web, 'new');
    await target.copyVolume({ pool, content: web }, copy, { snapshots: ['snap0'] });
    expect(await target.listSnapshots(copy)).toEqual(['snap0']);
    expect(await read(target, copy)).toBe('new');
    expect(await read(target, { volume: copy, name: 'snap0' })).toBe('old');
  });

  test('copyVolume() that fails half-way leaves nothing of the copy', async () => {
    await pool.createVolume(web);
    const copying = other.copyVolume({ pool, content: web }, copy, { snapshots: ['gone'] });
    await expect(copying).rejects.toMatchObject({ code: 'not-found' });
    expect(await other.hasVolume(copy)).toBe(false);
  });

  test('copies in opposite directions do not wait for each other for ever', async () => {
    await Promise.all([pool.createVolume(web), pool.createVolume(copy)]);
    await Promise.allSettled([pool.cloneVolume(web, copy), pool.cloneVolume(copy, web)]);
    expect(locks.holder(pool.lockKey(web))).toBe(undefined);
  });
});
