import { expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

async function everything(): Promise<unknown> {
  const urls = ['/1.0/instances', '/1.0/images', '/1.0/profiles', '/1.0/storage-pools', '/1.0/networks'];
  return await Promise.all(urls.map(async url => (await daemon.request('GET', url)).json?.metadata as unknown));
}

const source = { type: 'image', alias: 'tiny' };

test.each([
  ['malformed JSON', 'POST', '/1.0/instances', '{"name": ', ''],
  ['a body that is no object', 'POST', '/1.0/instances', '[1]', ''],
  ['null', 'POST', '/1.0/instances', 'null', ''],
  ['a wrong type', 'POST', '/1.0/instances', JSON.stringify({ name: 5, source }), 'name'],
  [
    'a wrong type inside',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source, config: { 'user.x': 5 } }),
    'config',
  ],
  ['a name with a slash', 'POST', '/1.0/instances', JSON.stringify({ name: 'a/b', source }), 'name'],
  ['the name ..', 'POST', '/1.0/instances', JSON.stringify({ name: '..', source }), 'name'],
  ['a name with NUL', 'POST', '/1.0/instances', JSON.stringify({ name: 'a\0b', source }), 'name'],
  ['a name of 64 characters', 'POST', '/1.0/instances', JSON.stringify({ name: 'a'.repeat(64), source }), 'name'],
  [
    'an unknown key',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source, config: { 'no.such': '1' } }),
    'no.such',
  ],
  [
    'a negative size',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source, config: { 'limits.memory': '-5MiB' } }),
    'limits.memory',
  ],
  [
    'an unknown device type',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source, devices: { d: { type: 'warp' } } }),
    'd',
  ],
  [
    'an unknown device option',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source, devices: { d: { type: 'none', x: 'y' } } }),
    'd',
  ],
  ['an unknown source', 'POST', '/1.0/instances', JSON.stringify({ name: 'c1', source: { type: 'wish' } }), 'source'],
  [
    'an image that is not there',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source: { type: 'image', alias: 'none' } }),
    'none',
  ],
  [
    'a profile that is not there',
    'POST',
    '/1.0/instances',
    JSON.stringify({ name: 'c1', source, profiles: ['none'] }),
    'none',
  ],
  ['a profile named ..', 'POST', '/1.0/profiles', JSON.stringify({ name: '..' }), 'name'],
  ['a pool name with a slash', 'POST', '/1.0/storage-pools', JSON.stringify({ name: 'a/b', driver: 'dir' }), 'name'],
  ['a pool of no driver', 'POST', '/1.0/storage-pools', JSON.stringify({ name: 'p', driver: 'tape' }), 'tape'],
  [
    'a pool of negative size',
    'POST',
    '/1.0/storage-pools',
    JSON.stringify({ name: 'p', driver: 'btrfs', config: { size: '-1GiB' } }),
    'size',
  ],
  ['a network of 16 characters', 'POST', '/1.0/networks', JSON.stringify({ name: 'n'.repeat(16) }), 'name'],
  [
    'a network with a line break',
    'POST',
    '/1.0/networks',
    JSON.stringify({ name: 'nbr', config: { 'dns.domain': 'a\ndhcp-script=/x' } }),
    'dns.domain',
  ],
  [
    'a network with a bad subnet',
    'POST',
    '/1.0/networks',
    JSON.stringify({ name: 'nbr', config: { 'ipv4.address': '10.0.0.300/24' } }),
    'ipv4.address',
  ],
])('%s is refused with 4xx and leaves nothing', async (_what, method, url, body, names) => {
  const before = await everything();
  const answer = await daemon.request(method, url, body, { 'content-type': 'application/json' });
  const final = answer.json?.type === 'async' ? await daemon.request('GET', `${answer.json.operation}/wait`) : answer;
  const error = final.json?.error === '' ? (final.json.metadata as { err: string }).err : (final.json?.error ?? '');
  const code = final.json?.error === '' ? (final.json.metadata as { status_code: number }).status_code : final.status;
  expect(code, error).toBeGreaterThanOrEqual(400);
  expect(code, error).toBeLessThan(500);
  expect(error.toLowerCase()).toContain(names.toLowerCase());
  expect(await everything()).toEqual(before);
});

test.each([
  '/1.0/instances/..%2F..%2Fetc',
  '/1.0/instances/%00',
  '/1.0/instances/%2e%2e',
  '/1.0/images/%25',
  '/1.0/nothing',
])('GET %s is a plain 4xx', async url => {
  const { status, json } = await daemon.request('GET', url);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(json?.type).toBe('error');
});

test('a deep, a huge and a prototype-poisoning body harm nobody', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  expect((await daemon.request('POST', '/1.0/profiles', deep, { 'content-type': 'application/json' })).status).toBe(
    400,
  );
  const poison = '{"name":"p","config":{"__proto__":"x","constructor":"y"}}';
  const answer = await daemon.request('POST', '/1.0/profiles', poison, { 'content-type': 'application/json' });
  expect(answer.status).toBe(400);
  const huge = JSON.stringify({ name: 'p', description: 'x'.repeat(64 * 2 ** 20) });
  const refused = await daemon
    .request('POST', '/1.0/profiles', huge, { 'content-type': 'application/json' })
    .catch(() => ({ status: 413 }));
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect((await daemon.request('GET', '/1.0')).status).toBe(200);
});
