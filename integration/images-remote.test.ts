import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestDaemon } from './harness/daemon.ts';
import { useDaemon } from './harness/fixture.ts';
import { serveProxy } from './harness/proxy-server.ts';
import { makeSplitImage, serve, serveFiles, sha256, streamsTree, type TestServer } from './harness/streams-server.ts';

const daemon = useDaemon({ storage: 'btrfs', image: false });
const first = makeSplitImage('one');
const second = makeSplitImage('two');

interface Source {
  readonly type?: string;
  readonly server?: string;
  readonly [key: string]: unknown;
}

async function copy(source: Source, more: object = {}, to: TestDaemon = daemon) {
  return await to.operate('POST', '/1.0/images', { source: { type: 'image', mode: 'pull', ...source }, ...more });
}

async function images(of: TestDaemon = daemon): Promise<Record<string, unknown>[]> {
  return (await of.request('GET', '/1.0/images?recursion=1')).json?.metadata as Record<string, unknown>[];
}

async function removeImages(of: TestDaemon = daemon): Promise<void> {
  for (const { fingerprint } of await images(of)) await of.operate('DELETE', `/1.0/images/${String(fingerprint)}`);
}

function files(of: TestDaemon = daemon): readonly string[] {
  return readdirSync(path.join(of.directory, 'images'));
}

describe('a simplestreams server', () => {
  const tree = streamsTree([['20260101_0000', first]]);
  let server: TestServer;
  beforeAll(async () => {
    server = await serve(serveFiles(tree), { tls: true });
  });
  afterAll(async () => {
    await server.close();
    await removeImages();
  });
  const source = (): Source => ({ server: server.url, certificate: server.certificate, protocol: 'simplestreams' });

  test('is only believed with the certificate that the request names', async () => {
    const { json } = await copy({ ...source(), certificate: '', alias: 'busy/1' });
    expect(json?.metadata).toMatchObject({ status: 'Failure' });
  });

  test('gives an image by its alias, with properties and where it came from', async () => {
    const { json } = await copy({ ...source(), alias: 'busy/1' }, { aliases: [{ name: 'busy' }], auto_update: true });
    expect(json?.metadata).toMatchObject({ status: 'Success', metadata: { fingerprint: first.fingerprint } });
    expect(await images()).toMatchObject([
      {
        fingerprint: first.fingerprint,
        auto_update: true,
        cached: false,
        aliases: [{ name: 'busy' }],
        properties: { description: 'Busybox 1.0 LTS amd64 (20260101_0000)', 'requirements.secureboot': 'false' },
        update_source: { server: server.url, protocol: 'simplestreams', alias: 'busy/1' },
      },
    ]);
  });

  test('is asked again by a refresh; aliases move on', async () => {
    expect((await daemon.lxc(['image', 'refresh', 'busy'])).stdout).toContain('already up to date');
    for (const [file, content] of streamsTree([
      ['20260101_0000', first],
      ['20260201_0000', second],
    ]))
      tree.set(file, content);
    const { json } = await daemon.operate('POST', `/1.0/images/${first.fingerprint}/refresh`);
    expect(json?.metadata).toMatchObject({ status: 'Success', metadata: { refreshed: true } });
    expect(await images()).toMatchObject([{ fingerprint: second.fingerprint, aliases: [{ name: 'busy' }] }]);
    expect(files()).toEqual([second.fingerprint, `${second.fingerprint}.rootfs`]);
  });

  test('gives the image of new instances once, however many want it, and is not needed for the next', async () => {
    await removeImages();
    const before = server.requests.length;
    const made = await Promise.all(
      ['s1', 's2', 's3'].map(name =>
        daemon.operate('POST', '/1.0/instances', {
          name,
          source: { type: 'image', mode: 'pull', ...source(), alias: 'busy' },
        }),
      ),
    );
    expect(made.map(({ json }) => json?.metadata.status)).toEqual(['Success', 'Success', 'Success']);
    expect(server.requests.slice(before).filter(url => url.endsWith('.squashfs'))).toHaveLength(1);
    expect(await images()).toMatchObject([{ fingerprint: second.fingerprint, cached: true, public: false }]);
    const asked = server.requests.length;
    const next = { name: 's4', source: { type: 'image', ...source(), alias: 'busy' } };
    expect((await daemon.operate('POST', '/1.0/instances', next)).json?.metadata.status).toBe('Success');
    expect(server.requests).toHaveLength(asked);
    await daemon.must('start', 's4');
    expect(await daemon.must('exec', 's4', '--', 'cat', '/etc/version')).toBe('two\n');
    await daemon.must('delete', '--force', 's1', 's2', 's3', 's4');
  });

  test('is replaced by the last copy when it is away', async () => {
    await daemon.must('config', 'set', 'images.auto_update_interval', '0');
    const { url, certificate } = server;
    await server.close();
    const away = {
      name: 's5',
      source: { type: 'image', server: url, certificate, protocol: 'simplestreams', alias: 'busy' },
    };
    expect((await daemon.operate('POST', '/1.0/instances', away)).json?.metadata.status).toBe('Success');
    const other = { ...away, name: 's6', source: { ...away.source, alias: 'other' } };
    expect((await daemon.operate('POST', '/1.0/instances', other)).json?.metadata).toMatchObject({
      status: 'Failure',
      err: expect.stringContaining('Cannot reach') as string,
    });
    await daemon.must('delete', 's5');
    await daemon.must('config', 'unset', 'images.auto_update_interval');
  });
});

describe('a hostile server', () => {
  const good = streamsTree([['20260101_0000', first]]);
  const listing = good.get('/streams/v1/images.json')?.toString() ?? '';
  const rootfs = '/images/20260101_0000/rootfs.squashfs';
  const changed = (change: (text: string) => string): Map<string, Buffer> =>
    new Map(good).set('/streams/v1/images.json', Buffer.from(change(listing)));

  const trees: readonly (readonly [what: string, tree: Map<string, Buffer>])[] = [
    ['other bytes', new Map(good).set(rootfs, Buffer.from(first.rootfs).fill(7, 1000, 2000))],
    ['too few bytes', new Map(good).set(rootfs, first.rootfs.subarray(0, 5000))],
    ['too many bytes', new Map(good).set(rootfs, Buffer.concat([first.rootfs, first.rootfs]))],
    ['a combined hash of something else', changed(text => text.replaceAll(first.fingerprint, 'a'.repeat(64)))],
    ['a path as fingerprint', changed(text => text.replaceAll(first.fingerprint, '../../../tmp/lxd-like-evil'))],
    ['a path that climbs', changed(text => text.replaceAll(rootfs.slice(1), '../../../etc/passwd'))],
    ['another host as path', changed(text => text.replaceAll(rootfs.slice(1), 'https://192.0.2.1/x'))],
    ['no JSON', changed(() => '<html>')],
    ['null for everything', changed(() => '{"products":{"x":null}}')],
  ];

  test.each(trees)('that serves %s gives no image and leaves nothing', async (_what, tree) => {
    const server = await serve(serveFiles(tree));
    const { json } = await copy({ server: server.url, protocol: 'simplestreams', alias: 'busy' });
    await server.close();
    expect(json?.metadata.status).toBe('Failure');
    expect(await images()).toEqual([]);
    expect(files()).toEqual([]);
  });

  test('that never ends is left when the operation is cancelled', async () => {
    const server = await serve((request, response) => {
      if (request.url !== rootfs) return serveFiles(good)(request, response);
      response.writeHead(200).write(first.rootfs.subarray(0, 1000));
    });
    const source = { type: 'image', server: server.url, protocol: 'simplestreams', alias: 'busy' };
    const { json } = await daemon.request('POST', '/1.0/images', { source });
    await expect.poll(() => files().length).toBe(2);
    expect((await daemon.request('DELETE', json?.operation ?? '')).status).toBe(200);
    const ended = await daemon.request('GET', `${json?.operation ?? ''}/wait`);
    expect(ended.json?.metadata.status).toBe('Cancelled');
    expect(files()).toEqual([]);
    await server.close();
  });

  test('over plain HTTP is only taken on this machine', async () => {
    const { json } = await copy({ server: 'http://192.0.2.1', protocol: 'simplestreams', alias: 'busy' });
    expect(json?.metadata.err).toContain('must be an https:// URL');
  });
});

describe('a URL', () => {
  afterAll(() => removeImages());

  test('names an image by its headers', async () => {
    const content = Buffer.from('irrelevant');
    const parts = new Map([['/file', content]]);
    const server = await serve((request, response) => {
      if (request.url !== '/image') return serveFiles(parts)(request, response);
      response.writeHead(200, { 'LXD-Image-Hash': sha256(content), 'LXD-Image-URL': `${server.url}/file` }).end();
    });
    const bad = await daemon.operate('POST', '/1.0/images', { source: { type: 'url', url: `${server.url}/image` } });
    // the bytes are as promised, but they are no image
    expect(bad.json?.metadata.err).toContain('neither a tar archive');
    const none = await daemon.operate('POST', '/1.0/images', { source: { type: 'url', url: `${server.url}/file` } });
    expect(none.json?.metadata.err).toBe('Missing LXD-Image-Hash header');
    await server.close();
    expect(files()).toEqual([]);
  });
});

describe('a remote of images', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await serve(serveFiles(streamsTree([['20260101_0000', first]])), { tls: true });
  });
  afterAll(async () => {
    await server.close();
    await removeImages();
  });

  test('is added, listed and looked into', async () => {
    await daemon.must('remote', 'add', 'mirror', server.url, '--protocol', 'simplestreams', '--accept-certificate');
    expect(await daemon.must('remote', 'list', '--format', 'csv')).toContain(
      `mirror,${server.url},simplestreams,none,YES`,
    );
    expect(await daemon.must('image', 'list', 'mirror:', '--format', 'csv', '-c', 'Fs')).toContain(first.fingerprint);
    expect(await daemon.must('image', 'info', 'mirror:busy/1')).toContain('Busybox 1.0 LTS amd64');
    expect((await daemon.cli(['list', 'mirror:'])).stderr).toContain('only has images');
  });

  test('gives images for copies and for new instances', async () => {
    await daemon.must('image', 'copy', 'mirror:busy/1', 'local:', '--alias', 'busy', '--auto-update');
    await daemon.must('launch', 'mirror:busy', 's1');
    expect(await daemon.must('exec', 's1', '--', 'cat', '/etc/version')).toBe('one\n');
    await daemon.must('delete', 's1', '--force');
    const exported = path.join(daemon.directory, 'exported');
    await daemon.must('image', 'export', 'busy', exported);
    expect(readFileSync(`${exported}.root.squashfs`).equals(first.rootfs)).toBe(true);
    await daemon.must('image', 'delete', 'busy');
    await daemon.must('image', 'export', 'mirror:busy', exported);
    expect(readFileSync(`${exported}.root.squashfs`).equals(first.rootfs)).toBe(true);
    await daemon.must('image', 'import', `${exported}.tar.xz`, `${exported}.root.squashfs`, '--alias', 'busy');
    expect(await images()).toContainEqual(expect.objectContaining({ fingerprint: first.fingerprint }));
  });
});

describe('a hostile LXD server', () => {
  const tiny = makeSplitImage('hostile');
  const envelope = (metadata: unknown): string => JSON.stringify({ type: 'sync', status_code: 200, metadata });
  const image = { fingerprint: tiny.fingerprint, type: 'container', properties: {}, filename: 'x' };

  async function fetchFrom(answers: Readonly<Record<string, string | Buffer>>, more: object = {}): Promise<string> {
    const server = await serve(
      (request, response) => {
        const answer = answers[(request.url ?? '').split('?')[0] ?? ''];
        response
          .writeHead(answer === undefined ? 404 : 200)
          .end(answer ?? JSON.stringify({ type: 'error', error: 'no' }));
      },
      { tls: true },
    );
    const { server: url, certificate } = { server: server.url, certificate: server.certificate };
    const { json } = await copy({ server: url, certificate, protocol: 'lxd', alias: 'x', ...more });
    await server.close();
    expect(await images()).toEqual([]);
    expect(files()).toEqual([]);
    return String(json?.type === 'error' ? json.error : json?.metadata.err);
  }
  const alias = { '/1.0/images/aliases/x': envelope({ name: 'x', target: tiny.fingerprint }) };

  test.each([
    ['an alias that is a path', { '/1.0/images/aliases/x': envelope({ target: '../../../etc/passwd' }) }, 'not found'],
    [
      'another image',
      { ...alias, [`/1.0/images/${tiny.fingerprint}`]: envelope({ ...image, fingerprint: 'a'.repeat(64) }) },
      'another image',
    ],
    [
      'a path as fingerprint',
      { ...alias, [`/1.0/images/${tiny.fingerprint}`]: envelope({ ...image, fingerprint: '../x' }) },
      'another image',
    ],
    [
      'properties with line breaks',
      { ...alias, [`/1.0/images/${tiny.fingerprint}`]: envelope({ ...image, properties: { a: 'b\nc' } }) },
      'properties',
    ],
    [
      'a virtual machine',
      { ...alias, [`/1.0/images/${tiny.fingerprint}`]: envelope({ ...image, type: 'virtual-machine' }) },
      'only containers',
    ],
    ['null', { ...alias, [`/1.0/images/${tiny.fingerprint}`]: envelope(null) }, 'another image'],
    ['no JSON', { '/1.0/images/aliases/x': '<html>' }, 'no JSON'],
    [
      'other files',
      {
        ...alias,
        [`/1.0/images/${tiny.fingerprint}`]: envelope(image),
        [`/1.0/images/${tiny.fingerprint}/export`]: tiny.rootfs,
      },
      'not "',
    ],
    [
      'nothing',
      {
        ...alias,
        [`/1.0/images/${tiny.fingerprint}`]: envelope(image),
        [`/1.0/images/${tiny.fingerprint}/export`]: '',
      },
      'empty',
    ],
  ])('that serves %s gives no image and leaves nothing', async (_what, answers, reason) => {
    expect(await fetchFrom(answers as Record<string, string | Buffer>)).toContain(reason);
  });

  test('with no certificate in the request is not believed, nor is one that is none', async () => {
    expect(await fetchFrom(alias, { certificate: '' })).toContain('Cannot reach');
    expect(await fetchFrom(alias, { certificate: 'x\ny' })).toContain('source.certificate');
  });
});

describe('a proxy', () => {
  const tree = streamsTree([['20260101_0000', first]]);
  afterEach(async () => {
    for (const key of ['http', 'https', 'ignore_hosts']) await daemon.must('config', 'unset', `core.proxy_${key}`);
    await removeImages();
  });

  test('carries what is fetched over HTTPS in a tunnel', async () => {
    await using server = await serve(serveFiles(tree), { tls: true });
    await using proxy = await serveProxy(server);
    await daemon.must('config', 'set', 'core.proxy_https', proxy.url);
    const source = { server: 'https://images.test', certificate: server.certificate, protocol: 'simplestreams' };
    expect((await copy({ ...source, alias: 'busy' })).json?.metadata).toMatchObject({ status: 'Success' });
    expect(new Set(proxy.requests)).toEqual(new Set(['CONNECT images.test:443']));
  });

  test('is given the whole URL of what is plain', async () => {
    await using server = await serve(serveFiles(tree));
    await using proxy = await serveProxy(server);
    await daemon.must('config', 'set', 'core.proxy_http', proxy.url);
    // The server behind it says nothing of an image, but it was asked.
    const { json } = await copy({ type: 'url', url: 'http://images.test/streams/v1/index.json' });
    expect(json?.metadata).toMatchObject({ status: 'Failure', err: 'Missing LXD-Image-Hash header' });
    expect(proxy.requests).toEqual(['HEAD http://images.test/streams/v1/index.json']);
  });

  test('is passed by for hosts that are named, and one that is not there is an error that names it', async () => {
    await using server = await serve(serveFiles(tree), { tls: true });
    await using proxy = await serveProxy(server);
    await daemon.must('config', 'set', 'core.proxy_https', proxy.url);
    await daemon.must('config', 'set', 'core.proxy_ignore_hosts', '.test, 192.0.2.0/24');
    const source = { server: 'https://images.test', certificate: server.certificate, protocol: 'simplestreams' };
    expect((await copy({ ...source, alias: 'busy' })).json?.metadata).toMatchObject({ status: 'Failure' });
    expect(proxy.requests).toEqual([]);
    await daemon.must('config', 'unset', 'core.proxy_ignore_hosts');
    await daemon.must('config', 'set', 'core.proxy_https', '127.0.0.1:1');
    const { json } = await copy({ ...source, alias: 'busy' });
    expect(json?.metadata).toMatchObject({ err: expect.stringContaining('the proxy 127.0.0.1:1 cannot be reached') });
  });

  test('of the environment counts for our client', async () => {
    await using server = await serve(serveFiles(tree), { tls: true });
    await using proxy = await serveProxy(server);
    const run = (...args: readonly string[]) => daemon.cli(args, { env: { https_proxy: proxy.url } });
    const add = ['remote', 'add', 'far', 'https://images.test', '--protocol', 'simplestreams', '--accept-certificate'];
    expect(await run(...add)).toMatchObject({ status: 0 });
    expect((await run('image', 'list', 'far:', '--format', 'csv')).stdout).toContain(first.fingerprint.slice(0, 12));
    expect(new Set(proxy.requests)).toEqual(new Set(['CONNECT images.test:443']));
  });
});
