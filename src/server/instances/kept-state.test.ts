import { mkdir } from 'node:fs/promises';
import { beforeEach, afterEach, describe, expect, test } from 'vitest';
import { findInstance, type InstanceRecord } from '#server/database/instances.ts';
import { createInstance } from './create-instance.ts';
import { recoverInstances } from './recover.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import { createSnapshot } from './snapshots.ts';
import { startInstance } from './start-instance.ts';
import { restartInstance, stopInstance } from './stop-instance.ts';
import { type TestServices, testServices } from './testing/test-services.ts';
import { changeInstance } from './update-instance.ts';

let world: TestServices;
beforeEach(async () => {
  world = await testServices();
  const { driver } = world;
  const mountVolume = driver.mountVolume.bind(driver);
  driver.mountVolume = async volume => {
    const folder = await mountVolume(volume);
    await mkdir(folder, { recursive: true });
    return folder;
  };
  await createInstance(world.services, 'default', { name: 'c1', source: { type: 'none' }, config: stateful });
});
afterEach(() => world[Symbol.asyncDispose]());

const stateful = { 'migration.stateful': 'true' };
const keeping = { force: true, timeoutMs: undefined, stateful: true };
const find = (): Promise<InstanceRecord | undefined> =>
  world.services.database.read(reader => findInstance(reader, 'default', 'c1'));
const change = (config: Readonly<Record<string, string>>): Promise<void> =>
  changeInstance(world.services, 'default', 'c1', { put: { config }, merge: true, check: () => undefined });
const start = (stateless = false): Promise<void> => startInstance(world.services, 'default', 'c1', {}, { stateless });
const stop = (): Promise<void> => stopInstance(world.services, 'default', 'c1', keeping);

describe('the state of processes', () => {
  test('is kept over a stop, and used up by the next start', async () => {
    await start();
    await stop();
    expect([(await find())?.stateful, world.attached.size]).toEqual([true, 0]);
    await start();
    expect(world.runtime.specs.get('c1')?.state).toMatch(/\/c1\/state$/);
    expect((await find())?.stateful).toBe(false);
    await restartInstance(world.services, 'default', 'c1', { force: true, timeoutMs: undefined });
    expect(world.runtime.specs.get('c1')?.state).toBeUndefined();
  });
  test('is given up by a stateless start', async () => {
    await start();
    await stop();
    await start(true);
    expect([world.runtime.specs.get('c1')?.state, (await find())?.stateful]).toEqual([undefined, false]);
  });
  test('is not kept when it cannot be, and every reason is told', async () => {
    await start();
    world.runtime.checkpoints.obstacle = 'CRIU is not installed';
    await change({ 'migration.stateful': 'false', 'security.privileged': 'true' });
    await expect(stop()).rejects.toThrow(
      /^Cannot keep the state of instance "c1": CRIU is not installed; config key "migration\.stateful" is not true.*; it is privileged/,
    );
    expect([world.runtime.status('c1'), (await find())?.stateful]).toEqual(['running', false]);
  });
  test('that fails to be written leaves the instance running', async () => {
    await start();
    world.runtime.checkpoints.failNext = true;
    await expect(stop()).rejects.toThrow("Can't dump");
    expect([world.runtime.status('c1'), (await find())?.stateful]).toEqual(['running', false]);
  });
  test('stays when it does not fit any more', async () => {
    await start();
    await stop();
    await change({ 'migration.stateful': 'false' });
    await expect(start()).rejects.toThrow('"migration.stateful" is not true any more');
    expect([world.runtime.status('c1'), (await find())?.stateful, world.attached.size]).toEqual(['stopped', true, 0]);
  });
  test('goes with a snapshot, and comes back from it', async () => {
    await start();
    await createSnapshot(world.services, 'default', 'c1', { name: 's', stateful: true });
    await createSnapshot(world.services, 'default', 'c1', { name: 'plain' });
    expect([world.runtime.status('c1'), (await find())?.stateful]).toEqual(['running', false]);
    await expect(restoreSnapshot(world.services, 'default', 'c1', { name: 'plain', stateful: true })).rejects.toThrow(
      'Snapshot "plain" has no state',
    );
    await restoreSnapshot(world.services, 'default', 'c1', { name: 's', stateful: true });
    expect(world.runtime.specs.get('c1')?.state).toMatch(/\/state$/);
    expect([world.runtime.status('c1'), (await find())?.stateful]).toEqual(['running', false]);
  });
  test('stays with the original of a copy', async () => {
    await start();
    await stop();
    const source = { type: 'copy', source: 'c1' } as const;
    const copy = await createInstance(world.services, 'default', { name: 'c2', source, stateful: true });
    expect([copy.stateful, (await find())?.stateful]).toEqual([false, true]);
  });
  test('is forgotten by a daemon that finds the instance running', async () => {
    await start();
    await world.services.database.write(tx => tx.run('UPDATE instances SET stateful = 1'));
    await recoverInstances(world.services);
    expect((await find())?.stateful).toBe(false);
  });
});
