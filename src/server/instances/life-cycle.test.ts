import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { InstancesPost } from '#api/instance.ts';
import { findInstance, type InstanceRecord, listInstanceRows, updateInstance } from '#server/database/instances.ts';
import { listSnapshotNames } from '#server/database/snapshots.ts';
import { changeProfile } from './change-profile.ts';
import { createInstance, planCreate } from './create-instance.ts';
import { deleteInstance } from './delete-instance.ts';
import { followContainers } from './follow-containers.ts';
import { listFullInstances, listInstances, readInstance } from './list-instances.ts';
import { recoverInstances } from './recover.ts';
import { renameInstance } from './rename-instance.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import { createSnapshot, deleteExpiredSnapshots, deleteSnapshot, renameSnapshot } from './snapshots.ts';
import { startInstance } from './start-instance.ts';
import { freezeInstance, restartInstance, stopInstance } from './stop-instance.ts';
import { addImage, type TestServices, testServices } from './testing/test-services.ts';
import { changeInstance } from './update-instance.ts';

let world: TestServices;
beforeEach(async () => {
  world = await testServices();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const image = { type: 'image', fingerprint: 'a'.repeat(64) } as const;
const force = { force: true, timeoutMs: undefined };
const anyState = (): void => undefined;

async function create(name: string, more: Partial<InstancesPost> = {}): Promise<InstanceRecord> {
  return await createInstance(world.services, 'default', { name, source: { type: 'none' }, ...more });
}

async function find(name: string): Promise<InstanceRecord | undefined> {
  return await world.services.database.read(reader => findInstance(reader, 'default', name));
}

async function change(name: string, put: Parameters<typeof changeInstance>[3]['put']): Promise<void> {
  await changeInstance(world.services, 'default', name, { put, merge: true, check: anyState });
}

describe('create', () => {
  test('makes a ready instance with volume, link and addresses of its own', async () => {
    await create('c1');
    const record = await find('c1');
    expect(record).toMatchObject({ name: 'c1', ready: true, pool: 'tank', profiles: ['default'], ephemeral: false });
    expect(record?.config['volatile.eth0.hwaddr']).toMatch(/^00:16:3e(:[0-9a-f]{2}){3}$/);
    expect(await world.driver.listVolumes()).toEqual([{ kind: 'container', name: 'c1' }]);
    expect(existsSync(`${world.services.paths.container('c1')}/rootfs`)).toBe(true);
    expect(world.told).toEqual(['instance-created']);
  });

  test('takes properties, architecture and fingerprint from the image', async () => {
    await addImage(world, image.fingerprint);
    const record = await create('c1', { source: image });
    expect(record.config).toMatchObject({ 'image.os': 'busybox', 'volatile.base_image': 'a'.repeat(64) });
  });

  test('renders the templates that wait for the first start', async () => {
    await addImage(world, image.fingerprint);
    await create('c1', { source: image, start: true });
    const name = `${world.services.paths.container('c1')}/rootfs/name`;
    expect(readFileSync(name, 'utf8')).toBe('c1');
    expect((await find('c1'))?.config['volatile.apply_template']).toBeUndefined();
  });

  test('makes up a name when there is none', async () => {
    expect((await create('')).name).toMatch(/^[a-z]+-[a-z]+$/);
  });

  test('starts it when asked to', async () => {
    await create('c1', { start: true });
    expect(world.runtime.status('c1')).toBe('running');
    expect(world.told).toEqual(['instance-created', 'instance-started']);
  });

  test('lets only one of many have a name', async () => {
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => create('c1')));
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(1);
    expect(await world.services.database.read(reader => listInstanceRows(reader))).toHaveLength(1);
  });

  test.each([
    ['a taken name', { name: 'taken' }, 'Instance "taken" already exists'],
    ['a bad name', { name: '../x' }, 'Instance name "../x" may only hold letters, digits and dashes'],
    ['an unknown key', { config: { 'limits.memroy': '1' } }, 'Config key "limits.memroy" is not a known key'],
    ['a line break', { config: { 'environment.A': 'a\nlxc.hook.start = x' } }, 'Config key "environment.A" must not'],
    ['no root disk', { profiles: [] }, 'has no root disk'],
    ['an unknown profile', { profiles: ['nope'] }, 'Profile "nope" does not exist'],
    ['a virtual machine', { type: 'virtual-machine' }, 'virtual machines are not supported'],
    ['an unknown pool', { devices: { root: { type: 'disk', path: '/', pool: 'x' } } }, 'Device "root": key "pool"'],
  ] as const)('refuses %s and leaves nothing', async (_what, more, message) => {
    await create('taken');
    const before = await world.services.database.read(reader => listInstanceRows(reader));
    await expect(create('c1', more as Partial<InstancesPost>)).rejects.toThrow(message);
    expect(await world.services.database.read(reader => listInstanceRows(reader))).toEqual(before);
  });

  test('leaves nothing when a step fails', async () => {
    world.driver.setQuota = () => Promise.reject(new Error('no quota'));
    const devices = { root: { type: 'disk', path: '/', pool: 'tank', size: '1GiB' } };
    await expect(create('c1', { devices })).rejects.toThrow('no quota');
    expect(await find('c1')).toBeUndefined();
    expect(await world.driver.listVolumes()).toEqual([]);
    expect(world.services.locks.holder('instance/default/c1')).toBeUndefined();
  });

  test('a plan changes nothing', async () => {
    const plan = await planCreate(world.services, 'default', { name: 'c1', source: { type: 'none' }, start: true });
    expect(plan.map(step => `${step.action} ${step.object}`)).toEqual([
      'create instance "c1"',
      'create volume "c1"',
      'start instance "c1"',
    ]);
    expect(await find('c1')).toBeUndefined();
  });

  test('a copy has content, config and snapshots, but not the addresses', async () => {
    const source = await create('a', { config: { 'user.x': '1' } });
    await createSnapshot(world.services, 'default', 'a', { name: 's' });
    const copy = await create('b', { source: { type: 'copy', source: 'a' } });
    expect(copy.config).toMatchObject({ 'user.x': '1' });
    expect(copy.config['volatile.eth0.hwaddr']).not.toBe(source.config['volatile.eth0.hwaddr']);
    expect(await world.services.database.read(reader => listSnapshotNames(reader, copy.id))).toEqual(['s']);
    expect(await world.pool.listSnapshots({ kind: 'container', name: 'b' })).toEqual(['s']);
    await create('c', { source: { type: 'copy', source: 'a/s' } });
    expect(await world.pool.listSnapshots({ kind: 'container', name: 'c' })).toEqual([]);
  });
});

describe('power', () => {
  test('start plugs in devices and stop gives everything back', async () => {
    await create('c1', { config: { 'limits.memory': '64MiB', 'environment.A': 'b', 'limits.kernel.nofile': '10:20' } });
    await startInstance(world.services, 'default', 'c1');
    expect(world.runtime.specs.get('c1')).toMatchObject({
      hostName: 'c1',
      rawConfig: expect.stringMatching(/^lxc\.sysctl\.net\.ipv4.*\nlxc\.prlimit\.nofile = 10:20$/s) as string,
      environment: { A: 'b' },
      limits: { memory: { bytes: 64 * 2 ** 20 } },
      nics: [{ bridge: 'lxdbr0', name: 'eth0' }],
    });
    expect([...world.attached]).toEqual(['c1/eth0']);
    expect((await find('c1'))?.config['volatile.last_state.power']).toBe('RUNNING');
    await stopInstance(world.services, 'default', 'c1', force);
    expect(world.attached.size).toBe(0);
    const config = (await find('c1'))?.config ?? {};
    expect(config['volatile.last_state.power']).toBe('STOPPED');
    expect(config['volatile.eth0.host_name']).toBeUndefined();
    await deleteInstance(world.services, 'default', 'c1');
    expect(await find('c1')).toBeUndefined();
  });

  test('a start that fails leaves it stopped and clean', async () => {
    await create('c1');
    world.runtime.failing.add('start');
    await expect(startInstance(world.services, 'default', 'c1')).rejects.toThrow('start failed');
    expect(world.attached.size).toBe(0);
    expect((await find('c1'))?.config['volatile.last_state.power']).toBe('STOPPED');
    await deleteInstance(world.services, 'default', 'c1');
  });

  test('a clean stop that init ignores says so, and force overtakes it', async () => {
    await create('c1', { start: true });
    world.runtime.deaf = true;
    const polite = stopInstance(world.services, 'default', 'c1', { force: false, timeoutMs: 1000 });
    await expect(polite).rejects.toThrow('did not shut down within 1 s; stop it by force');
    expect(world.runtime.status('c1')).toBe('running');
    await stopInstance(world.services, 'default', 'c1', force);
    expect(world.runtime.status('c1')).toBe('stopped');
  });

  test('restart, freeze and unfreeze', async () => {
    await create('c1', { start: true });
    await restartInstance(world.services, 'default', 'c1', force);
    await freezeInstance(world.services, 'default', 'c1', 'freeze');
    expect((await readInstance(world.services, 'default', 'c1')).view.status).toBe('Frozen');
    await freezeInstance(world.services, 'default', 'c1', 'unfreeze');
    expect(world.told.slice(2)).toEqual(['instance-restarted', 'instance-paused', 'instance-resumed']);
  });

  test('what cannot be done in a state is refused', async () => {
    await create('c1', { start: true, config: { 'security.protection.delete': 'true' } });
    await expect(startInstance(world.services, 'default', 'c1')).rejects.toThrow('it is already running');
    await expect(deleteInstance(world.services, 'default', 'c1')).rejects.toThrow('it is running; stop it first');
    await stopInstance(world.services, 'default', 'c1', force);
    await expect(deleteInstance(world.services, 'default', 'c1')).rejects.toThrow('it is protected');
  });

  test('an ephemeral instance is gone when it stops, by itself or not', async () => {
    followContainers(world.services);
    await create('c1', { ephemeral: true, start: true });
    await stopInstance(world.services, 'default', 'c1', force);
    expect(await find('c1')).toBeUndefined();
    await create('c2', { ephemeral: true, start: true });
    world.runtime.end('c2');
    await expect.poll(() => find('c2')).toBeUndefined();
  });

  test('a reboot by the guest starts it again; a power-off is noted', async () => {
    followContainers(world.services);
    await create('c1', { start: true });
    world.runtime.end('c1', true);
    await expect.poll(() => world.told.at(-1)).toBe('instance-restarted');
    expect(world.runtime.status('c1')).toBe('running');
    world.runtime.end('c1');
    await expect.poll(() => world.told.at(-1)).toBe('instance-shutdown');
    expect(world.attached.size).toBe(0);
  });
});

describe('change', () => {
  test('reaches a running container: limits, NICs and mounts', async () => {
    await create('c1', { start: true });
    await change('c1', { config: { 'limits.memory': '32MiB' } });
    expect(world.runtime.limits?.memory?.bytes).toBe(32 * 2 ** 20);
    await change('c1', {
      devices: { eth1: { type: 'nic', network: 'lxdbr0' }, tmp: { type: 'disk', source: '/tmp', path: '/mnt' } },
    });
    expect(world.runtime.calls).toEqual(expect.arrayContaining(['attachNic c1 eth1', 'attachMount c1 /mnt']));
    await changeInstance(world.services, 'default', 'c1', {
      put: { profiles: ['default'] },
      merge: false,
      check: anyState,
    });
    expect(world.runtime.calls.slice(-2)).toEqual(['detachNic c1', 'detachMount c1 /mnt']);
    expect([...world.attached]).toEqual(['c1/eth0']);
  });

  test('is undone when the container refuses it', async () => {
    await create('c1', { start: true });
    world.runtime.failing.add('attachMount');
    await expect(change('c1', { devices: { tmp: { type: 'disk', source: '/tmp', path: '/mnt' } } })).rejects.toThrow(
      'attachMount',
    );
    expect((await find('c1'))?.devices).toEqual({});
  });

  test('keeps the daemon’s own keys and refuses a stale client', async () => {
    const before = await create('c1');
    await changeInstance(world.services, 'default', 'c1', {
      put: { config: { 'user.a': 'b' } },
      merge: false,
      check: anyState,
    });
    expect((await find('c1'))?.config['volatile.eth0.hwaddr']).toBe(before.config['volatile.eth0.hwaddr']);
    const stale = {
      put: {},
      merge: true,
      check: () => {
        throw new Error('changed since');
      },
    };
    await expect(changeInstance(world.services, 'default', 'c1', stale)).rejects.toThrow('changed since');
  });

  test('of a profile reaches its instances, or changes nothing when one would break', async () => {
    await create('c1', { start: true });
    const put = { config: { 'limits.processes': '50' } };
    await changeProfile(world.services, 'default', 'default', { put, merge: true, check: anyState });
    expect(world.runtime.limits?.processes).toBe(50);
    const broken = { put: { devices: {} }, merge: false, check: anyState };
    await expect(changeProfile(world.services, 'default', 'default', broken)).rejects.toThrow('has no root disk');
    expect((await readInstance(world.services, 'default', 'c1')).expanded.config['limits.processes']).toBe('50');
  });

  test('rename moves volume, link and row', async () => {
    await create('c1');
    await renameInstance(world.services, 'default', 'c1', 'c2');
    expect(await find('c1')).toBeUndefined();
    expect((await find('c2'))?.config['volatile.rename.to']).toBeUndefined();
    expect(await world.driver.listVolumes()).toEqual([{ kind: 'container', name: 'c2' }]);
    expect(readdirSync(`${world.services.paths.root}/containers`)).toEqual(['c2']);
  });
});

describe('snapshots', () => {
  test('are counted, renamed, restored with config while it runs, and deleted', async () => {
    await create('c1', { config: { 'user.a': 'old' }, start: true });
    expect(await createSnapshot(world.services, 'default', 'c1', {})).toBe('snap0');
    expect(await createSnapshot(world.services, 'default', 'c1', {})).toBe('snap1');
    await renameSnapshot(world.services, 'default', 'c1', { from: 'snap1', to: 'named' });
    await change('c1', { config: { 'user.a': 'new' } });
    const file = `${world.services.paths.container('c1')}/rootfs/new`;
    await writeFile(file, '');
    await restoreSnapshot(world.services, 'default', 'c1', { name: 'snap0' });
    expect(existsSync(file)).toBe(false);
    expect((await find('c1'))?.config['user.a']).toBe('old');
    expect((await find('c1'))?.config['volatile.restore.snapshot']).toBeUndefined();
    expect(world.runtime.status('c1')).toBe('running');
    await deleteSnapshot(world.services, 'default', 'c1', 'named');
    expect(await world.pool.listSnapshots({ kind: 'container', name: 'c1' })).toEqual(['snap0']);
  });

  test('a name is taken once, however many ask', async () => {
    await create('c1');
    const tries = Array.from({ length: 4 }, () => createSnapshot(world.services, 'default', 'c1', { name: 's' }));
    const results = await Promise.allSettled(tries);
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(1);
    expect(await world.pool.listSnapshots({ kind: 'container', name: 'c1' })).toEqual(['s']);
  });

  test('go when their time has come', async () => {
    await create('c1', { config: { 'snapshots.expiry': '1d' } });
    await createSnapshot(world.services, 'default', 'c1', { name: 'short' });
    await createSnapshot(world.services, 'default', 'c1', { name: 'kept', expires_at: '0001-01-01T00:00:00Z' });
    await deleteExpiredSnapshots(world.services, new Date(Date.now() + 2 * 86_400_000));
    expect(await world.pool.listSnapshots({ kind: 'container', name: 'c1' })).toEqual(['kept']);
  });

  test('one that fails leaves nothing', async () => {
    const { id } = await create('c1');
    world.driver.createSnapshot = () => Promise.reject(new Error('no space'));
    await expect(createSnapshot(world.services, 'default', 'c1', {})).rejects.toThrow('no space');
    expect(await world.services.database.read(reader => listSnapshotNames(reader, id))).toEqual([]);
  });
});

describe('recovery', () => {
  async function mark(name: string, put: Parameters<typeof updateInstance>[2]): Promise<void> {
    await world.services.database.write(async tx => {
      const record = await findInstance(tx, 'default', name);
      if (record)
        await updateInstance(tx, record, {
          ...put,
          ...(put.config && { config: { ...record.config, ...put.config } }),
        });
    });
  }

  test('removes what is half-made and finishes renames and restores', async () => {
    await create('half');
    await mark('half', { ready: false });
    await create('a');
    await mark('a', { config: { 'volatile.rename.to': 'b' } });
    await create('c', { config: { 'user.x': 'old' } });
    await createSnapshot(world.services, 'default', 'c', { name: 's' });
    await mark('c', { config: { 'user.x': 'new', 'volatile.restore.snapshot': 's' } });
    await recoverInstances(world.services);
    const records = await world.services.database.read(reader => listInstanceRows(reader));
    expect(records.map(record => record.name)).toEqual(['b', 'c']);
    expect(records[1]?.config['user.x']).toBe('old');
    expect((await world.driver.listVolumes()).map(volume => volume.name).sort()).toEqual(['b', 'c']);
  });

  test('notes a container that ended while no daemon watched, and one that ended with its host', async () => {
    await create('ended', { start: true });
    await create('host', { start: true });
    await mark('host', { config: { 'volatile.last_state.boot': 'another boot' } });
    world.runtime.states.clear();
    await recoverInstances(world.services);
    expect((await find('ended'))?.config['volatile.last_state.power']).toBe('STOPPED');
    expect((await find('host'))?.config['volatile.last_state.power']).toBe('RUNNING');
    expect(world.attached.size).toBe(0);
  });
});

test('320 instances are listed with state in a few queries', async () => {
  await create('c1', { start: true });
  await world.services.database.write(async tx => {
    const record = await findInstance(tx, 'default', 'c1');
    const { insertInstance } = await import('#server/database/instances.ts');
    if (record) for (let n = 0; n < 319; n += 1) await insertInstance(tx, { ...record, name: `i${String(n)}` });
  });
  const read = async (): Promise<number> => {
    const begin = performance.now();
    expect(await listFullInstances(world.services, { project: 'default' })).toHaveLength(320);
    return performance.now() - begin;
  };
  await read();
  // 20 ms here; a query per instance takes a second
  expect(Math.min(await read(), await read(), await read())).toBeLessThan(200);
  expect(await listInstances(world.services, { project: undefined, filter: view => 'name' in view })).toHaveLength(320);
}, 20_000);
