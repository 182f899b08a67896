import { expect, test } from 'vitest';
import { VolumeUsers } from './volume-users.ts';

const volume = { kind: 'container', name: 'c1' } as const;
const other = { kind: 'container', name: 'c2' } as const;

test('mounts are counted and stand in the way of changes', async () => {
  const users = new VolumeUsers();
  users.countMount(volume, 1);
  expect(users.countMount(volume, 1)).toBe(2);
  await expect(users.vacate(volume, 'delete')).rejects.toMatchObject({ code: 'busy' });
  await users.vacate(other, 'delete');
  users.countMount(volume, -1);
  expect(users.countMount(volume, -1)).toBe(0);
  expect(users.countMount(volume, -1)).toBe(0);
  await users.vacate(volume, 'delete');
});

test('readers of one snapshot, or of all of a volume, leave once', async () => {
  const users = new VolumeUsers();
  const left: string[] = [];
  for (const [owner, name] of [
    [volume, 'a'],
    [volume, 'b'],
    [volume, 'b'],
    [other, 'a'],
  ] as const)
    users.addReader({ volume: owner, name }, async () => void left.push(`${owner.name}/${name}`));
  await users.sendReadersAway({ volume, name: 'a' });
  expect(left).toEqual(['c1/a']);
  await users.vacate(volume, 'delete');
  await users.vacate(volume, 'delete');
  expect(left).toEqual(['c1/a', 'c1/b']);
});
