import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findInstance } from '../database/instances.ts';
import { insertTrash, listTrashRows, setTrashState, type TrashRecord } from '../database/trash.ts';
import { createInstance } from '../instances/create-instance.ts';
import { deleteInstance } from '../instances/delete-instance.ts';
import { recoverInstances } from '../instances/recover.ts';
import { createSnapshot } from '../instances/snapshots.ts';
import { type TestServices, testServices } from '../instances/testing/test-services.ts';
import { changeInstance } from '../instances/update-instance.ts';
import { trashVolumeName } from '../paths.ts';
import { deleteTrash, runsShort, tendTrash } from './empty-trash.ts';
import { recoverTrash } from './recover-trash.ts';
import { restoreTrash } from './restore-trash.ts';
import { listTrash } from './trash-items.ts';

let world: TestServices;
beforeEach(async () => {
  world = await testServices();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const day = 86_400_000;
const inDays = (days: number): string => new Date(Date.now() + days * day).toISOString();
const everything = (): boolean => true;
const rows = (): Promise<readonly TrashRecord[]> => world.services.database.read(listTrashRows);
const find = (name: string) => world.services.database.read(reader => findInstance(reader, 'default', name));

/** Makes an instance and puts it into the trash. */
async function trashed(name: string, days = 7): Promise<string> {
  const config = { 'user.a': '1' };
  await createInstance(world.services, 'default', { name, source: { type: 'none' }, config });
  await writeFile(`${world.services.paths.container(name)}/rootfs/file`, name);
  await createSnapshot(world.services, 'default', name, { name: 's' });
  return (await deleteInstance(world.services, 'default', name, { keptUntil: inDays(days) })) ?? '';
}

describe('an instance in the trash', () => {
  test('has left its name, its link and its volume, and comes back as it was', async () => {
    const uuid = await trashed('c1');
    expect([await find('c1'), existsSync(world.services.paths.container('c1'))]).toEqual([undefined, false]);
    expect(await world.driver.listVolumes()).toEqual([{ kind: 'container', name: trashVolumeName(uuid) }]);
    expect(await listTrash(world.services, everything)).toMatchObject([{ id: uuid, name: 'c1', snapshots: ['s'] }]);
    expect(await listTrash(world.services, () => false)).toEqual([]);
    const before = (await rows())[0]?.content as { instance: object };
    await restoreTrash(world.services, uuid, 'c1');
    expect(await find('c1')).toMatchObject(before.instance);
    expect((await find('c1'))?.config['volatile.trash.from']).toBeUndefined();
    expect(readFileSync(`${world.services.paths.container('c1')}/rootfs/file`, 'utf8')).toBe('c1');
    expect(await world.pool.listSnapshots({ kind: 'container', name: 'c1' })).toEqual(['s']);
    expect(await rows()).toEqual([]);
    expect(world.told.slice(-2)).toEqual(['instance-deleted', 'instance-created']);
  });

  test('stays there when it cannot come back', async () => {
    const uuid = await trashed('c1');
    await createInstance(world.services, 'default', { name: 'c1', source: { type: 'none' } });
    await expect(restoreTrash(world.services, uuid, 'c1')).rejects.toThrow('give another name');
    world.driver.renameVolume = () => Promise.reject(new Error('no space'));
    await expect(restoreTrash(world.services, uuid, 'c2')).rejects.toThrow('no space');
    expect([await find('c2'), (await rows())[0]?.state]).toEqual([undefined, 'kept']);
  });

  test('stays where it is when it cannot be put there', async () => {
    world.driver.renameVolume = () => Promise.reject(new Error('no space'));
    await expect(trashed('c1')).rejects.toThrow('no space');
    expect((await find('c1'))?.config['volatile.trash.to']).toBeUndefined();
    expect(await rows()).toEqual([]);
  });

  test('gives way to one that has its address meanwhile', async () => {
    const options = { type: 'nic', network: 'lxdbr0', name: 'eth0', 'ipv4.address': '10.1.1.9' };
    const device = { devices: { eth0: options } };
    const change = { put: device, merge: true, check: () => undefined };
    await createInstance(world.services, 'default', { name: 'c1', source: { type: 'none' }, ...device });
    const uuid = (await deleteInstance(world.services, 'default', 'c1', { keptUntil: inDays(1) })) ?? '';
    await createInstance(world.services, 'default', { name: 'c2', source: { type: 'none' } });
    await changeInstance(world.services, 'default', 'c2', change);
    await expect(restoreTrash(world.services, uuid, 'c1')).rejects.toThrow('"10.1.1.9" already defined on another NIC');
  });
});

describe('the trash', () => {
  test('is emptied of what has expired', async () => {
    await trashed('short', 1);
    await trashed('long', 9);
    await tendTrash(world.services, new Date(Date.now() + 2 * day));
    expect((await rows()).map(({ name }) => name)).toEqual(['long']);
    expect(await world.driver.listVolumes()).toHaveLength(1);
  });

  test('is emptied of the oldest, and no more, when its pool runs short of space', async () => {
    for (const name of ['a', 'b', 'c']) await trashed(name);
    const full = { inodesUsed: 0, inodesTotal: 0, total: 100 };
    world.driver.poolUsage = async () => ({ ...full, used: 92 + (await rows()).length });
    await tendTrash(world.services);
    expect((await rows()).map(({ name }) => name)).toEqual([]);
    for (const name of ['a', 'b', 'c']) await trashed(name);
    world.driver.poolUsage = async () => ({ ...full, used: 88 + (await rows()).length });
    await tendTrash(world.services);
    expect((await rows()).map(({ name }) => name)).toEqual(['b', 'c']);
  });

  test('what is being restored cannot be deleted at once', async () => {
    const uuid = await trashed('c1');
    const both = await Promise.allSettled([
      restoreTrash(world.services, uuid, 'c1'),
      deleteTrash(world.services, uuid),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((await find('c1'))?.ready).toBe(true);
  });

  test.each([
    [100 * 2 ** 30, 91 * 2 ** 30, true],
    [100 * 2 ** 30, 89 * 2 ** 30, false],
    [4096 * 2 ** 30, 4080 * 2 ** 30, false],
    [4096 * 2 ** 30, 4090 * 2 ** 30, true],
  ])('a pool of %d bytes with %d used runs short: %s', (total, used, short) => {
    expect(runsShort({ total, used })).toBe(short);
  });
});

describe('after a daemon that died', () => {
  test('begun deletions are finished and lost travellers stay', async () => {
    const gone = await trashed('gone');
    const lost = await trashed('lost');
    const [row] = await rows();
    await world.services.database.write(async tx => {
      await setTrashState(tx, gone, 'leaving');
      await setTrashState(tx, lost, 'returning');
      if (row) await insertTrash(tx, { ...row, uuid: 'feed00000000' });
    });
    await recoverInstances(world.services);
    await recoverTrash(world.services);
    expect((await rows()).map(({ name, state }) => [name, state])).toEqual([['lost', 'kept']]);
    expect(await world.driver.listVolumes()).toEqual([{ kind: 'container', name: trashVolumeName(lost) }]);
  });
});
