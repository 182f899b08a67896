import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Requestor } from '#api/event.ts';
import { KeyedLock } from '#base/keyed-lock.ts';
import { silentLog } from '#base/log.ts';
import { mountedAt } from '#storage/mounts.ts';
import { globalMigrations } from '../database/migrations/global.ts';
import { SqliteDatabase } from '../database/sqlite.ts';
import { insertPool } from '../database/storage-pools.ts';
import { LocalEventBus } from '../events/bus.ts';
import { StatePaths } from '../paths.ts';
import { createPool } from './create-pool.ts';
import { deletePool } from './delete-pool.ts';
import { findPool, listPools } from './list-pools.ts';
import { listVolumeRecords } from '../database/storage-volumes.ts';
import { listWarnings } from '../database/warnings.ts';
import { MountedPools } from './mounted-pools.ts';
import { poolResources } from './pool-resources.ts';
import { recoverPools } from './recover-pools.ts';
import { updatePool } from './update-pool.ts';

const requestor: Requestor = { username: 'root', protocol: 'unix', address: '' };

describe('storage pools', () => {
  let root: string;
  let services: Awaited<ReturnType<typeof makeServices>>;

  async function makeServices() {
    const paths = new StatePaths(root);
    const database = await SqliteDatabase.open({ file: paths.globalDatabase, migrations: globalMigrations });
    const core = { paths, database, events: new LocalEventBus(), locks: new KeyedLock(), log: silentLog };
    return { ...core, pools: new MountedPools(core) };
  }
  /** as a new daemon on the same state directory */
  async function restart(): Promise<void> {
    await services.pools.close({ unmount: true });
    await services.database.close();
    services = await makeServices();
    await recoverPools(services);
    await services.pools.start();
  }

  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'state-'));
    services = await makeServices();
    await services.pools.start();
  });
  afterEach(async () => {
    await services.pools.close({ unmount: true });
    await services.database.close();
    await rm(root, { recursive: true });
  });

  const small = { name: 'small', driver: 'btrfs', config: { size: '128MiB' } };

  test('a pool is created, found after a restart, and deleted without a trace', async () => {
    await createPool(services, small, requestor);
    await services.pools.get('small').ensureImage('cafe01', () => Promise.resolve());
    await restart();
    expect(await findPool(services, 'small')).toEqual({
      name: 'small',
      driver: 'btrfs',
      description: '',
      config: { size: '128MiB', source: path.join(root, 'disks', 'small.img') },
      status: 'Created',
      locations: ['none'],
      used_by: ['/1.0/images/cafe01'],
    });
    expect((await poolResources(services, 'small')).space.total).toBe(128 * 2 ** 20);
    await deletePool(services, 'small', requestor);
    expect(await listPools(services)).toEqual([]);
    expect([
      ...(await readdir(path.join(root, 'disks'))),
      ...(await readdir(path.join(root, 'storage-pools'))),
    ]).toEqual([]);
  });

  test('bad requests are refused before anything is made', async () => {
    const refused = (change: object): Promise<unknown> =>
      createPool(services, { ...small, ...change }, requestor).then(
        () => 'created',
        (error: unknown) => (error as Error).message,
      );
    expect(await refused({ name: '../up' })).toBe('Invalid "name": must not hold a slash');
    expect(await refused({ driver: 'lvm' })).toMatch(/^Unknown storage driver "lvm": this host can use btrfs, dir/);
    expect(await refused({ config: { 'no.such': '1' } })).toContain('is not a known key');
    expect(await refused({ config: { size: 'huge' } })).toContain('must be a size');
    expect(await refused({ config: { size: '1MiB' } })).toContain('must be at least');
    expect(await refused({ config: { 'btrfs.mount_options': 'device=/dev/sda' } })).toContain('must not hold');
    expect(await refused({ config: { source: '/no/such' } })).toContain('neither a block device nor a folder');
    expect(await listPools(services)).toEqual([]);
  });

  test('of two creations of one name one wins', async () => {
    const both = await Promise.allSettled([
      createPool(services, small, requestor),
      createPool(services, small, requestor),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await deletePool(services, 'small', requestor);
  });

  test('a pool that is used cannot be deleted', async () => {
    await createPool(services, { name: 'plain', driver: 'dir' }, requestor);
    await services.database.write(async tx => {
      await tx.run(
        `INSERT INTO instances (project_id, name, architecture, creation_date, last_use_date, storage_pool)
         VALUES (1, 'web', 'x86_64', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z', 'plain')`,
      );
    });
    await expect(deletePool(services, 'plain', requestor)).rejects.toThrow(
      'Cannot delete storage pool "plain" while it is used by /1.0/instances/web; delete or change these first',
    );
    const volumes = await services.database.read(reader => listVolumeRecords(reader, { pool: 'plain' }));
    expect(volumes.map(({ type, name }) => `${type}/${name}`)).toEqual(['container/web']);
    expect((await findPool(services, 'plain')).status).toBe('Created');
  });

  test('a creation or deletion that was interrupted is undone at the next start', async () => {
    await createPool(services, small, requestor);
    await services.database.write(async tx => {
      await tx.run('UPDATE storage_pools SET ready = 0');
      const config = { source: path.join(root, 'disks', 'never.img'), size: '128MiB' };
      await insertPool(tx, { name: 'never', driver: 'btrfs', description: '', config });
    });
    await restart();
    expect(await listPools(services)).toEqual([]);
    expect(await mountedAt(services.paths.pool('small'))).toBe(undefined);
    await createPool(services, small, requestor);
    await deletePool(services, 'small', requestor);
  });

  test('a pool whose loop file is missing is unavailable, says why, and comes back by itself', async () => {
    await createPool(services, small, requestor);
    const file = path.join(root, 'disks', 'small.img');
    await services.pools.close({ unmount: true });
    await rename(file, `${file}.away`);
    await restart();
    expect((await findPool(services, 'small')).status).toBe('Unavailable');
    expect(() => services.pools.get('small')).toThrow(`"${file}", which holds storage pool "small", is missing`);
    const warnings = () => services.database.read(listWarnings);
    const warning = { type: 'Storage pool unavailable', entity_url: '/1.0/storage-pools/small', severity: 'high' };
    expect(await warnings()).toMatchObject([{ ...warning, status: 'new' }]);
    await rename(`${file}.away`, file);
    await expect.poll(() => services.pools.list().length + tryGet()).toBe(1);
    await expect.poll(warnings).toMatchObject([{ ...warning, status: 'resolved' }]);
    await deletePool(services, 'small', requestor);
  });

  function tryGet(): number {
    try {
      services.pools.get('small');
    } catch {
      // asking is what starts the next attempt
    }
    return 0;
  }

  test('a change is checked, applied and kept; where the pool lies stays', async () => {
    await createPool(services, small, requestor);
    const change = (config: Record<string, string>): Promise<void> =>
      updatePool(services, { name: 'small', requestor, change: () => ({ description: 'new', config }) });
    await change({ size: '256MiB', 'btrfs.mount_options': 'user_subvol_rm_allowed,compress=zstd', 'user.a': 'b' });
    expect((await findPool(services, 'small')).config).toMatchObject({ size: '256MiB', 'user.a': 'b' });
    expect((await poolResources(services, 'small')).space.total).toBe(256 * 2 ** 20);
    await expect(change({ source: '/elsewhere' })).rejects.toThrow('cannot be changed');
    await expect(change({ 'volatile.initial_source': 'x' })).rejects.toThrow('cannot be changed');
    await deletePool(services, 'small', requestor);
  });
});
