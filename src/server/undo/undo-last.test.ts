import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Requestor } from '#api/event.ts';
import { findInstance } from '../database/instances.ts';
import { createInstance } from '../instances/create-instance.ts';
import { deleteInstance } from '../instances/delete-instance.ts';
import { restoreSnapshot } from '../instances/restore-snapshot.ts';
import { createSnapshot, deleteSnapshot } from '../instances/snapshots.ts';
import { type TestServices, testServices } from '../instances/testing/test-services.ts';
import { changeInstance } from '../instances/update-instance.ts';
import { listChanges } from './list-changes.ts';
import { findUndoable, planUndo, undo } from './undo-last.ts';

let world: TestServices;
beforeEach(async () => {
  world = await testServices();
  await createInstance(world.services, 'default', {
    name: 'c1',
    source: { type: 'none' },
    config: { 'user.a': 'first', 'limits.memory': '1GiB' },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const requestor: Requestor = { username: 'ann', protocol: 'unix', address: '@' };
const context = { requestor, keptUntil: '2099-01-01T00:00:00.000Z' };

async function change(put: Parameters<typeof changeInstance>[3]['put'], name = 'c1'): Promise<void> {
  const request = { put, merge: true, check: () => undefined };
  await changeInstance(world.services, 'default', name, request, context);
}

async function last(name: string | undefined = 'c1') {
  return await findUndoable(world.services, { project: 'default', name, maySee: () => true });
}

async function undoLast(name?: string): Promise<void> {
  await undo(world.services, await last(name), context);
}

async function find(name = 'c1') {
  return await world.services.database.read(reader => findInstance(reader, 'default', name));
}

const changed = async (): Promise<readonly (readonly string[])[]> =>
  (await listChanges(world.services, 'default', 'c1')).map(({ action, changed }) => [action, ...changed]);

describe('the undo of a change of the configuration', () => {
  test('brings config, devices and description back, and is undone by the next', async () => {
    const before = await find();
    await change({
      config: { 'user.a': '', 'user.b': 'new' },
      devices: { tmp: { type: 'none' } },
      description: 'changed',
    });
    const after = await find();
    expect((await planUndo(world.services, await last())).plan).toMatchObject([
      { action: 'change', detail: 'user.a: (unset) → first' },
      { action: 'change', detail: 'user.b: new → (unset)' },
      { action: 'delete', object: 'device "tmp"' },
    ]);
    await undoLast('c1');
    expect(await find()).toEqual(before);
    await undoLast('c1');
    expect(await find()).toEqual(after);
    const all = ['update', 'user.a', 'user.b', 'device tmp', 'description'];
    expect(await changed()).toEqual([all, all, all]);
    expect((await listChanges(world.services, 'default', 'c1'))[0]?.changed_by).toBe('ann');
  });

  test('is not offered for writes that change nothing or fail', async () => {
    await change({ config: { 'user.a': 'first' } });
    world.runtime.failing.add('setLimits');
    world.runtime.states.set('c1', 'running');
    await expect(change({ config: { 'limits.memory': '2GiB' } })).rejects.toThrow('setLimits failed');
    expect(await changed()).toEqual([]);
    await expect(last()).rejects.toThrow('Nothing to undo: instance "c1" was not changed');
  });

  test('reaches twenty changes back and no further', async () => {
    for (let turn = 0; turn < 23; turn += 1) await change({ config: { 'user.a': String(turn) } });
    const changes = await listChanges(world.services, 'default', 'c1');
    expect(changes).toHaveLength(20);
    expect(changes.at(-1)?.before.config['user.a']).toBe('2');
    expect(changes[0]?.before.config).toEqual({ 'user.a': '21', 'limits.memory': '1GiB' });
  });
});

describe('the undo of a restore', () => {
  const file = (): string => `${world.services.paths.container('c1')}/rootfs/file`;

  test('brings the files and the config back, and is undone by the next', async () => {
    await createSnapshot(world.services, 'default', 'c1', { name: 'one' });
    await writeFile(file(), '');
    await change({ config: { 'user.a': 'second' } });
    await restoreSnapshot(world.services, 'default', 'c1', { name: 'one' }, context);
    expect([existsSync(file()), (await find())?.config['user.a']]).toEqual([false, 'first']);
    expect((await planUndo(world.services, await last())).plan).toEqual([
      { action: 'change', object: 'instance "c1"', detail: 'files and config of snapshot "before-restore0"' },
    ]);
    await undoLast('c1');
    expect([existsSync(file()), (await find())?.config['user.a']]).toEqual([true, 'second']);
    await undoLast('c1');
    expect([existsSync(file()), (await find())?.config['user.a']]).toEqual([false, 'first']);
  });

  test('is refused where nothing was kept', async () => {
    await createSnapshot(world.services, 'default', 'c1', { name: 'one' });
    await restoreSnapshot(world.services, 'default', 'c1', { name: 'one' }, { requestor });
    await expect(last()).rejects.toThrow('no snapshot was taken before it, see "undo.snapshots"');
    await restoreSnapshot(world.services, 'default', 'c1', { name: 'one' }, context);
    await deleteSnapshot(world.services, 'default', 'c1', 'before-restore0');
    await expect(last()).rejects.toThrow('snapshot "before-restore0" is gone');
  });
});

describe('the undo of a deletion', () => {
  test('brings the instance back, and is not undone by the next', async () => {
    await deleteInstance(world.services, 'default', 'c1', context);
    await undoLast('c1');
    expect((await find())?.ready).toBe(true);
    await expect(last()).rejects.toThrow('Cannot undo the return of instance "c1" from the trash');
    await expect(last('none')).rejects.toThrow('there is no instance "none", and nothing of that name in the trash');
  });

  test('does not touch a new instance of the name', async () => {
    await deleteInstance(world.services, 'default', 'c1', context);
    await createInstance(world.services, 'default', { name: 'c1', source: { type: 'none' } });
    await expect(last()).rejects.toThrow('comes back with "lxd-like trash restore c1 NEWNAME"');
    await change({ config: { 'user.a': 'new' } });
    expect((await last()).kind).toBe('change');
  });

  test('is what an undo without a name means, when it was last', async () => {
    await createInstance(world.services, 'default', { name: 'c2', source: { type: 'none' } });
    await deleteInstance(world.services, 'default', 'c1', context);
    await new Promise(resolve => setTimeout(resolve, 2));
    await change({ config: { 'user.a': 'new' } }, 'c2');
    expect((await findUndoable(world.services, { project: 'default', name: undefined, maySee: () => true })).kind).toBe(
      'change',
    );
    await new Promise(resolve => setTimeout(resolve, 2));
    await deleteInstance(world.services, 'default', 'c2', context);
    await undo(
      world.services,
      await findUndoable(world.services, { project: 'default', name: undefined, maySee: () => true }),
      context,
    );
    expect([await find('c1'), (await find('c2'))?.name]).toEqual([undefined, 'c2']);
  });
});
