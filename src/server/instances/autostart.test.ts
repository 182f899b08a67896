import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { InstancesPost } from '#api/instance.ts';
import { findInstance, getInstance, updateInstance } from '#server/database/instances.ts';
import { autostartInstances } from './autostart.ts';
import { createInstance } from './create-instance.ts';
import { lockKey } from './status.ts';
import { type TestServices, testServices } from './testing/test-services.ts';

let world: TestServices;
beforeEach(async () => {
  world = await testServices();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function create(name: string, more: Partial<InstancesPost> = {}): Promise<void> {
  await createInstance(world.services, 'default', { name, source: { type: 'none' }, ...more });
}
test('follows boot.autostart, else how it was left', async () => {
  await create('always', { config: { 'boot.autostart': 'true' } });
  await create('never', { config: { 'boot.autostart': 'false' } });
  await create('left');
  await world.services.database.write(async tx => {
    for (const name of ['left', 'never']) {
      const record = await findInstance(tx, 'default', name);
      if (record)
        await updateInstance(tx, record, { config: { ...record.config, 'volatile.last_state.power': 'RUNNING' } });
    }
  });
  await autostartInstances(world.services);
  expect([...world.runtime.states.keys()].sort()).toEqual(['always', 'left']);
});

test('leaves alone what is stopped before its turn', async () => {
  await create('left');
  const notePower = (power: string) =>
    world.services.database.write(async tx => {
      const record = await getInstance(tx, 'default', 'left');
      await updateInstance(tx, record, { config: { ...record.config, 'volatile.last_state.power': power } });
    });
  await notePower('RUNNING');
  const stopping = world.services.locks.tryHold(lockKey('default', 'left'), 'stop');
  const status = vi.spyOn(world.runtime, 'status');
  const started = autostartInstances(world.services);
  await vi.waitFor(() => expect(status).toHaveBeenCalled());
  await notePower('STOPPED');
  stopping?.[Symbol.dispose]();
  await started;
  expect([...world.runtime.states.keys()]).toEqual([]);
});
