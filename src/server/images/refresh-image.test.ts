import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '#base/log.ts';
import { findAlias } from '#server/database/image-aliases.ts';
import { listImages, touchImage } from '#server/database/images.ts';
import { testServices, type TestServices } from '../instances/testing/test-services.ts';
import { LocalOperations } from '../operations/local-operations.ts';
import { cacheImage, downloadImage, plainSettings } from './download-image.ts';
import { ImageUpkeep } from './refresh-image.ts';
import { makeTar } from './testing/make-tar.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const sha256 = (...parts: readonly Buffer[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

let made: TestServices;
let server: Server;
let version: string;
let downloads: number;
const config = new Map<string, string>();

/** A simplestreams server with one image, which is another one for each version. */
function answer(url: string): Buffer | undefined {
  const metadata = makeTar([
    { name: 'metadata.yaml', content: `architecture: x86_64\nproperties: {v: "${version}"}\n` },
  ]);
  const rootfs = Buffer.from(`hsqs ${version}`);
  const file = (path: string, content: Buffer): object => ({ path, sha256: sha256(content), size: content.length });
  const items = {
    a: { ftype: 'lxd.tar.xz', combined_squashfs_sha256: sha256(metadata, rootfs), ...file('a', metadata) },
    b: { ftype: 'squashfs', ...file('b', rootfs) },
  };
  const product = { aliases: 'busy', arch: 'amd64', os: 'Busy', versions: { [version]: { items } } };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const files: Readonly<Record<string, Buffer>> = {
    '/streams/v1/index.json': json({ index: { x: { datatype: 'image-downloads', path: 'p.json' } } }),
    '/p.json': json({ products: { x: product } }),
    '/a': metadata,
    '/b': rootfs,
  };
  if (url === '/b') downloads += 1;
  return files[url];
}

beforeEach(async () => {
  made = await testServices();
  version = '20260101';
  downloads = 0;
  config.clear();
  config.set('images.auto_update_interval', '6').set('images.auto_update_cached', 'true');
  config.set('images.remote_cache_expiry', '10').set('images.default_architecture', 'x86_64');
  server = createServer((request, response) => {
    const content = answer(request.url ?? '');
    response.writeHead(content ? 200 : 404).end(content);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await made[Symbol.asyncDispose]();
});

function services() {
  const operations = new LocalOperations({ events: made.services.events, log: silentLog });
  return {
    ...made.services,
    operations,
    settings: { visible: {}, get: (key: string) => config.get(key) },
    identity: { certificate: '', key: '', fingerprint: '' },
  };
}

function busy() {
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const address = { server: url, protocol: 'simplestreams', certificate: '', secret: '', project: '' } as const;
  return { address, name: 'busy' };
}

const context = { signal: new AbortController().signal, onProgress: () => undefined };

async function images() {
  return await made.services.database.read(reader => listImages(reader));
}

async function runUpkeep(upkeep: ImageUpkeep, all: ReturnType<typeof services>, now?: number): Promise<void> {
  await upkeep.run(all, now);
  for (const { id } of all.operations.list()) await all.operations.wait(id, undefined);
}

test('an image that is to be kept up to date is replaced, with its aliases, as often as the interval says', async () => {
  const all = services();
  const settings = { ...plainSettings, autoUpdate: true, aliases: [{ name: 'mine', description: 'text' }] };
  const old = await downloadImage(all, 'default', { ...busy(), settings }, context);
  const upkeep = new ImageUpkeep();
  await runUpkeep(upkeep, all);
  expect(await images()).toMatchObject([{ fingerprint: old.fingerprint }]);
  version = '20260201';
  await runUpkeep(upkeep, all, Date.now() + 5 * hourMs);
  expect(await images()).toMatchObject([{ fingerprint: old.fingerprint }]);
  await runUpkeep(upkeep, all, Date.now() + 7 * hourMs);
  const [fresh, ...others] = await images();
  expect(others).toEqual([]);
  expect(fresh).toMatchObject({ autoUpdate: true, properties: { serial: version }, aliases: settings.aliases });
  expect(fresh?.source).toMatchObject({ alias: 'busy' });
  expect(await made.services.database.read(reader => findAlias(reader, 'default', 'mine'))).toMatchObject({
    target: fresh?.fingerprint,
  });
  expect(await readdir(all.paths.images)).toEqual([fresh?.fingerprint, `${fresh?.fingerprint ?? ''}.rootfs`]);
  expect(made.told).toContain('image-refreshed');
});

test('nothing is looked for when the interval is 0', async () => {
  config.set('images.auto_update_interval', '0');
  const all = services();
  await downloadImage(all, 'default', { ...busy(), settings: { ...plainSettings, autoUpdate: true } }, context);
  version = '20260201';
  await runUpkeep(new ImageUpkeep(), all, Date.now() + 100 * hourMs);
  expect(await images()).toMatchObject([{ properties: { serial: '20260101' } }]);
});

test('a server that is away changes nothing', async () => {
  const all = services();
  await downloadImage(all, 'default', { ...busy(), settings: { ...plainSettings, autoUpdate: true } }, context);
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await runUpkeep(new ImageUpkeep(), all);
  expect(await images()).toHaveLength(1);
});

test('fetched images go when nobody used them for the time that is set, and others stay', async () => {
  const all = services();
  const cached = await cacheImage(all, 'default', busy(), context);
  const upkeep = new ImageUpkeep();
  config.set('images.auto_update_interval', '0');
  await runUpkeep(upkeep, all, Date.now() + 9 * dayMs);
  expect(await images()).toHaveLength(1);
  const used = new Date(Date.now() + 5 * dayMs).toISOString();
  await made.services.database.write(tx => touchImage(tx, cached.id, used));
  await runUpkeep(upkeep, all, Date.now() + 14 * dayMs);
  expect(await images()).toHaveLength(1);
  await runUpkeep(upkeep, all, Date.now() + 16 * dayMs);
  expect(await images()).toEqual([]);
  expect(await readdir(all.paths.images)).toEqual([]);

  await downloadImage(all, 'default', { ...busy(), settings: plainSettings }, context);
  await runUpkeep(upkeep, all, Date.now() + 1000 * dayMs);
  expect(await images()).toHaveLength(1);
});

test('many that want an image at once share one download; asking for it keeps it for good', async () => {
  const all = services();
  const got = await Promise.all(Array.from({ length: 5 }, () => cacheImage(all, 'default', busy(), context)));
  expect(new Set(got.map(image => image.fingerprint)).size).toBe(1);
  expect(downloads).toBe(1);
  expect(await images()).toMatchObject([{ cached: true, autoUpdate: true }]);
  const settings = { ...plainSettings, public: true, properties: { more: 'yes' } };
  await downloadImage(all, 'default', { ...busy(), settings }, context);
  expect(await images()).toMatchObject([{ cached: false, public: true, properties: { more: 'yes', os: 'Busy' } }]);
  expect(downloads).toBe(1);
});
