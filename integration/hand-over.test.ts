import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { installedPath } from '#base/install-root.ts';
import { settled } from './harness/fixture.ts';
import { move, useMovingPet } from './harness/moving-pet.ts';

const { here, there, petAt, places, expectAt } = useMovingPet();

describe('the client is killed', () => {
  test.each([
    ['here', 'hand-over.after-stop'],
    ['here', 'hand-over.after-release'],
    ['there', 'take-over.after-mark'],
  ] as const)('while the server %s is at %s, and it goes over all the same', async (at, point) => {
    const slow = at === 'here' ? here : there;
    await slow.terminate();
    await slow.start({ LXD_LIKE_FAULT: `${point}:delay` });
    const client = spawn(installedPath('lxd-like'), move, { env: here.environment, stdio: 'ignore' });
    await settled(async () => (await petAt(here))?.status === 'Stopped');
    client.kill('SIGKILL');
    await once(client, 'exit');
    await settled(async () => (await petAt(here)) === undefined && (await petAt(there))?.status === 'Running');
    await slow.terminate();
    await slow.start();
    await expectAt('there');
    expect(await petAt(here)).toBeUndefined();
  });
});

test('a target that does not start it gives it back', async () => {
  await there.terminate();
  await there.start({ LXD_LIKE_FAULT: 'start.after-devices:throw' });
  const { status, stderr } = await here.cli(move);
  expect([status, stderr]).toEqual([1, expect.stringContaining('was asked to fail') as string]);
  await there.terminate();
  await there.start();
  await expectAt('here');
  expect(await petAt(there)).toBeUndefined();
});

test('what is protected does not even stop', async () => {
  await here.must('config', 'set', 'pet', 'security.protection.delete=true');
  const { status, stderr } = await here.cli(move);
  expect([status, stderr]).toEqual([1, expect.stringContaining('security.protection.delete') as string]);
  expect(await places()).toEqual(['here']);
  await here.must('config', 'unset', 'pet', 'security.protection.delete');
});
