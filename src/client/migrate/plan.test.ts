import { expect, test } from 'vitest';
import type { DevicesMap } from '#api/common.ts';
import type { Client } from '../client.ts';
import { type MigrationPlan, planMigration } from './plan.ts';

type Config = Readonly<Record<string, string>>;

/** A server with these networks and an instance "web" of that config, as far as a plan looks at it. */
function server(networks: Readonly<Record<string, Config>>, web?: Config): Client {
  const find = <T>(value: T | undefined) => Promise.resolve(value);
  const instance = { name: 'web', status: 'Running', architecture: 'x86_64', expanded_config: web, state: {} };
  return {
    instances: { full: () => find(instance), find: () => find(undefined) },
    server: { get: () => find({ value: { environment: { architectures: ['x86_64'] } } }) },
    profiles: { find: () => find({ devices: {} }) },
    networks: { find: (name: string) => find(networks[name] && { config: networks[name] }) },
    storagePools: { find: () => find({}), resources: () => find({ space: { total: 0, used: 0 } }) },
  } as unknown as Client;
}

async function plan(source: Client, target: Client): Promise<MigrationPlan> {
  const devices: DevicesMap = {
    root: { type: 'disk', path: '/', pool: 'default' },
    eth0: { type: 'nic', network: 'lan' },
  };
  const profiles = ['default'];
  return await planMigration({
    source,
    target,
    name: 'web',
    newName: 'web',
    devices,
    profiles,
    wanted: undefined,
    resume: false,
  });
}

const lan = { lan: { 'ipv4.address': '10.1.0.1/24' } };
const otherLan = { lan: { 'ipv4.address': '10.2.0.1/24' } };

test('between like networks nothing is to be said', async () => {
  expect(await plan(server(lan, {}), server(lan))).toMatchObject({ method: 'near-live', reasons: [] });
});

test('a network that is not there stands in the way, and the question is which one to use', async () => {
  const { method, reasons } = await plan(server(lan, {}), server({}));
  expect(method).toBeUndefined();
  expect(reasons).toMatchObject([
    { blocks: true, text: expect.stringContaining('choose one with "-d eth0,network=NAME"') as string },
  ]);
});

test('a network with other addresses is told', async () => {
  const { method, reasons } = await plan(server(lan, {}), server(otherLan));
  expect(method).toBe('near-live');
  expect(reasons).toMatchObject([
    { blocks: false, text: expect.stringContaining('10.1.0.1/24 here and 10.2.0.1/24 there') as string },
  ]);
});

test('what may not be deleted at the source does not leave', async () => {
  const { method, reasons } = await plan(server(lan, { 'security.protection.delete': 'true' }), server(lan));
  expect(method).toBeUndefined();
  expect(reasons).toMatchObject([{ blocks: true, text: expect.stringContaining('protected') as string }]);
});
