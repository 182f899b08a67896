import { afterEach, beforeEach, expect, test } from 'vitest';
import { getInstance, listInstanceNames } from '#server/database/instances.ts';
import { createInstance } from '../instances/create-instance.ts';
import { markPartial } from '../instances/partial.ts';
import { startInstance } from '../instances/start-instance.ts';
import { type TestServices, testServices } from '../instances/testing/test-services.ts';
import { deleteExpiredPartial } from './expire-partial.ts';

let world: TestServices;
beforeEach(async () => {
  world = await testServices();
  for (const name of ['part', 'whole'])
    await createInstance(world.services, 'default', { name, source: { type: 'none' } });
  await world.services.database.write(async tx => markPartial(tx, (await getInstance(tx, 'default', 'part')).id, true));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function names(): Promise<readonly string[]> {
  return (await world.services.database.read(listInstanceNames)).map(({ name }) => name).sort();
}

test('what came partly is kept for a week', async () => {
  const day = 24 * 3600 * 1000;
  await deleteExpiredPartial(world.services, new Date(Date.now() + 6 * day));
  expect(await names()).toEqual(['part', 'whole']);
  await deleteExpiredPartial(world.services, new Date(Date.now() + 8 * day));
  expect(await names()).toEqual(['whole']);
});

test('what came partly does not start', async () => {
  await expect(startInstance(world.services, 'default', 'part')).rejects.toMatchObject({ code: 'failed-precondition' });
  await startInstance(world.services, 'default', 'whole');
});
