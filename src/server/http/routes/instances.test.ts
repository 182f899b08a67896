import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Envelope } from '#api/envelope.ts';
import type { Instance } from '#api/instance.ts';
import { silentLog } from '#base/log.ts';
import { type TestServices, testServices } from '#server/instances/testing/test-services.ts';
import { LocalOperations } from '#server/operations/local-operations.ts';
import type { Services } from '#server/services.ts';
import { type App, buildApp } from '../app.ts';
import { instanceStateRoutes } from './instance-state.ts';
import { instanceRoutes } from './instances.ts';
import { profileRoutes } from './profiles.ts';
import { snapshotRoutes } from './snapshots.ts';

let world: TestServices;
let app: App;
let services: Services;
beforeEach(async () => {
  world = await testServices();
  const operations = new LocalOperations({ events: world.services.events, log: silentLog });
  const settings = { visible: {}, get: () => undefined };
  services = { ...world.services, operations, settings } as unknown as Services;
  app = await buildApp({
    services,
    routes: [...instanceRoutes, ...instanceStateRoutes, ...snapshotRoutes, ...profileRoutes],
    upgrades: [],
    authenticate: () => ({
      trusted: true,
      admin: true,
      metrics: false,
      projects: undefined,
      fingerprint: undefined,
      certificate: undefined,
      requestor: { username: 'root', protocol: 'unix', address: '@' },
    }),
  });
});
afterEach(async () => {
  await app.fastify.close();
  await world[Symbol.asyncDispose]();
});

async function ask(
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Envelope; etag: string }> {
  const reply = await app.fastify.inject({
    method,
    url,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { payload: JSON.stringify(body) }),
  });
  return { status: reply.statusCode, body: reply.json(), etag: reply.headers['etag'] ?? '' };
}

/** Asks and waits for the operation; returns its error text. */
async function run(...args: Parameters<typeof ask>): Promise<string> {
  const { status, body } = await ask(...args);
  expect([status, body.error]).toEqual([202, '']);
  return (await services.operations.wait(body.operation.split('/').at(-1) ?? '', 5000)).err;
}

test('an instance lives from POST to DELETE', async () => {
  expect(
    await run('POST', '/1.0/instances', { name: 'c1', source: { type: 'none' }, profiles: null, config: null }),
  ).toBe('');
  expect((await ask('POST', '/1.0/instances', { name: 'c1', source: { type: 'none' } })).status).toBe(409);
  expect(await run('PUT', '/1.0/instances/c1/state', { action: 'start', timeout: -1 })).toBe('');
  expect((await ask('GET', '/1.0/instances/c1/state')).body.metadata).toMatchObject({ status: 'Running', pid: 100 });
  expect((await ask('GET', '/1.0/instances?recursion=2&filter=')).body.metadata).toMatchObject([
    { name: 'c1', state: { status_code: 103 } },
  ]);
  expect(await run('DELETE', '/1.0/instances/c1')).toContain('it is running; stop it first');
  expect(await run('PUT', '/1.0/instances?', { state: { action: 'stop', force: true } })).toBe('');
  expect(await run('POST', '/1.0/instances/c1', { name: 'c2' })).toBe('');
  expect((await ask('GET', '/1.0/instances')).body.metadata).toEqual(['/1.0/instances/c2']);
  expect(await run('DELETE', '/1.0/instances/c2')).toBe('');
  expect((await ask('GET', '/1.0/instances/c2')).status).toBe(404);
});

test('of clients that saw the same state only one may change it', async () => {
  await run('POST', '/1.0/instances', { name: 'c1', source: { type: 'none' } });
  const { etag, body } = await ask('GET', '/1.0/instances/c1');
  const { config, devices, profiles } = body.metadata as Instance;
  const change = { config: { ...config, 'user.a': '1' }, devices, profiles };
  expect(await run('PUT', '/1.0/instances/c1', change, { 'if-match': etag })).toBe('');
  expect((await ask('PUT', '/1.0/instances/c1', change, { 'if-match': etag })).status).toBe(412);
  expect((await ask('PATCH', '/1.0/instances/c1', { config: { 'user.b': '2' } })).status).toBe(200);
  const after = (await ask('GET', '/1.0/instances/c1')).body.metadata as Instance;
  expect(after.config).toMatchObject({ 'user.a': '1', 'user.b': '2' });
});

test('plans change nothing', async () => {
  const plan = (await ask('POST', '/1.0/instances?plan=1', { name: 'c1', source: { type: 'none' } })).body.metadata;
  expect(plan).toMatchObject({ plan: [{ action: 'create', object: 'instance "c1"' }, { object: 'volume "c1"' }] });
  expect((await ask('GET', '/1.0/instances')).body.metadata).toEqual([]);
});

test.each([
  [{ name: 'c1' }, 'Missing "source"'],
  [{ name: 7, source: { type: 'none' } }, 'Invalid "name"'],
  [{ name: 'c1', source: { type: 'none' }, config: { a: {} } }, 'Invalid "config.a"'],
  [{ name: 'c1', source: { type: 'none' }, devices: { eth0: 'x' } }, 'Invalid "devices.eth0"'],
  [{ name: '..', source: { type: 'none' } }, 'Instance name ".."'],
])('refuses %j and names the member', async (body, message) => {
  const answer = await ask('POST', '/1.0/instances', body);
  expect([answer.status, answer.body.error]).toEqual([400, expect.stringContaining(message)]);
});

test('snapshots and profiles', async () => {
  await run('POST', '/1.0/instances', { name: 'c1', source: { type: 'none' } });
  expect(await run('POST', '/1.0/instances/c1/snapshots', { name: 's', expires_at: null })).toBe('');
  expect(await run('PUT', '/1.0/instances/c1', { restore: 's', config: null, devices: null })).toBe('');
  expect(await run('PUT', '/1.0/instances/c1/snapshots/s', { expires_at: '2040-01-01T00:00:00Z' })).toBe('');
  expect((await ask('GET', '/1.0/instances/c1/snapshots/s')).body.metadata).toMatchObject({
    expires_at: '2040-01-01T00:00:00.000Z',
  });
  expect(await run('DELETE', '/1.0/instances/c1/snapshots/s')).toBe('');
  expect((await ask('POST', '/1.0/profiles', { name: 'p', config: { 'user.a': 'b' } })).status).toBe(201);
  expect((await ask('GET', '/1.0/profiles/default')).body.metadata).toMatchObject({ used_by: ['/1.0/instances/c1'] });
  expect((await ask('DELETE', '/1.0/profiles/default')).status).toBe(400);
  expect((await ask('POST', '/1.0/profiles/p', { name: 'q' })).status).toBe(201);
  expect((await ask('DELETE', '/1.0/profiles/q')).status).toBe(200);
});
