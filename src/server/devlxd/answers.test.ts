import { expect, test } from 'vitest';
import { answerGuest } from './answers.ts';
import type { Guest } from './guest.ts';
import { changesOf, eventKinds } from './guest-events.ts';

const guest: Guest = {
  project: 'default',
  name: 'c1',
  local: { 'volatile.eth0.hwaddr': '00:16:3e:00:00:01', 'volatile.cloud-init.instance-id': 'id-1' },
  config: { 'user.a': '1', 'user.empty': '', 'cloud-init.user-data': '#cloud-config', 'limits.cpu': '1' },
  devices: { eth0: { type: 'nic', network: 'br0' }, root: { type: 'disk', path: '/', pool: 'p' } },
};
const services = {} as Parameters<typeof answerGuest>[0];
const ask = async (path: string): ReturnType<typeof answerGuest> => answerGuest(services, guest, path);

test('keys, metadata and devices are as a guest should see them', async () => {
  expect(await ask('/1.0/config')).toEqual({
    kind: 'json',
    value: ['/1.0/config/cloud-init.user-data', '/1.0/config/user.a'],
  });
  expect(await ask('/1.0/meta-data')).toEqual({
    kind: 'text',
    text: '#cloud-config\ninstance-id: id-1\nlocal-hostname: c1\n',
  });
  expect(await ask('/1.0/devices')).toMatchObject({ value: { eth0: { hwaddr: '00:16:3e:00:00:01' } } });
});

test.each(['/1.0/config/toString', '/1.0/config/user.empty', '/1.0/config/user.a/b', '/1.0/x', '/1.0/images/f'])(
  '%s is not there',
  async path => {
    await expect(ask(path)).rejects.toThrow(/not (found|authorized)/);
  },
);

test('changes are told by kind, and only those that a guest may see', () => {
  const after: Guest = { ...guest, config: { 'user.a': '2', 'limits.cpu': '2' }, devices: { root: { type: 'disk' } } };
  const told = changesOf(guest, after, eventKinds('')).map(line => JSON.parse(line) as { metadata: unknown });
  expect(told.map(({ metadata }) => metadata)).toEqual([
    { key: 'cloud-init.user-data', old_value: '#cloud-config', value: '' },
    { key: 'user.a', old_value: '1', value: '2' },
    { action: 'removed', name: 'eth0', config: expect.objectContaining({ network: 'br0' }) as unknown },
    { action: 'updated', name: 'root', config: { type: 'disk' } },
  ]);
  expect(changesOf(guest, after, eventKinds('device'))).toHaveLength(2);
  expect(() => eventKinds('config,all')).toThrow('must be of config, device');
});
