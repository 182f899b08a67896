import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '#api/image.ts';
import { makeBusyboxImage } from './harness/busybox-image.ts';
import { type Answer, TestDaemon } from './harness/daemon.ts';
import { useDaemons } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';
import type { Output } from './harness/run-program.ts';
import { makeSplitImage } from './harness/streams-server.ts';

const [here, there] = [new TestDaemon(), new TestDaemon()];
useDaemons([
  [here, { storage: 'dir' }],
  [there, { storage: 'dir', image: false }],
]);
let ports: readonly [here: number, there: number];

async function images(of: TestDaemon): Promise<readonly Image[]> {
  return (await of.request('GET', '/1.0/images?recursion=1')).json?.metadata as Image[];
}

/** Fingerprint of the image with an alias. */
function namedOf(all: readonly Image[], wanted: string): string {
  return all.find(({ aliases }) => aliases.some(({ name }) => name === wanted))?.fingerprint ?? '';
}

async function tokenFrom(answer: Promise<Answer>): Promise<string> {
  return ((await answer).json?.metadata as { metadata: { secret: string } } | undefined)?.metadata.secret ?? '';
}

async function removeImages(of: TestDaemon): Promise<void> {
  for (const { fingerprint } of await images(of)) await of.operate('DELETE', `/1.0/images/${fingerprint}`);
}

async function curl(...args: readonly string[]): Promise<string> {
  return await new Promise(resolve => execFile('curl', ['-sk', ...args], (_error, stdout) => resolve(stdout)));
}

beforeAll(async () => {
  ports = [await freePort(), await freePort()];
  await here.must('config', 'set', 'core.https_address', `127.0.0.1:${String(ports[0])}`);
  await there.must('config', 'set', 'core.https_address', `127.0.0.1:${String(ports[1])}`);
  const token = (await there.must('config', 'trust', 'add', '--name', 'here')).trim().split('\n').pop() ?? '';
  await here.must('remote', 'add', 'there', token);
});

describe('copying between two servers', () => {
  test.each(['pull', 'push', 'relay'])('works by %s, with alias and visibility', async mode => {
    await here.must('image', 'copy', 'tiny', 'there:', '--mode', mode, '--alias', `by-${mode}`, '--public');
    expect(await images(there)).toMatchObject([{ public: true, aliases: [{ name: `by-${mode}` }], cached: false }]);
    await removeImages(there);
  });

  test('brings back what is there by its alias and keeps it up to date', async () => {
    await here.must('image', 'copy', 'tiny', 'there:', '--copy-aliases', '--public');
    const own = namedOf(await images(here), 'tiny');
    await removeImages(here);
    await here.must('image', 'copy', 'there:tiny', 'local:', '--auto-update', '--copy-aliases');
    expect(await images(here)).toMatchObject([
      { fingerprint: own, auto_update: true, update_source: { protocol: 'lxd', alias: 'tiny' } },
    ]);
    expect(await here.must('image', 'refresh', 'tiny')).toBe('The image is already up to date\n');
    await there.must('launch', 'tiny', 'c1');
    await there.must('exec', 'c1', '--', 'sh', '-c', 'echo newer > /etc/version');
    await there.must('publish', 'c1', '--force', '--reuse', '--alias', 'tiny', '--public');
    expect(await here.must('image', 'refresh', 'tiny')).toBe('Image refreshed successfully!\n');
    await here.must('launch', 'tiny', 'c2');
    expect(await here.must('exec', 'c2', '--', 'cat', '/etc/version')).toBe('newer\n');
    await here.must('delete', 'c2', '--force');
    await there.must('delete', 'c1', '--force');
  });

  test('the stock client copies in all modes', async () => {
    await removeImages(there);
    await there.must('config', 'set', 'core.trust_password', 'sesame');
    const address = `127.0.0.1:${String(ports[1])}`;
    await here.lxc(['remote', 'add', 'there', address, '--accept-certificate', '--password', 'sesame']);
    for (const mode of ['pull', 'push', 'relay']) {
      const copied = await here.lxc(['image', 'copy', 'tiny', 'there:', '--mode', mode, '--alias', mode]);
      expect(copied).toMatchObject({ status: 0, stderr: '' });
      expect(await images(there)).toMatchObject([{ aliases: [{ name: mode }] }]);
      await removeImages(there);
    }
  });

  test('a server that trusts this one lets it read private images', async () => {
    await here.must('image', 'copy', 'tiny', 'there:', '--alias', 'inside');
    const fingerprint = namedOf(await images(here), 'tiny');
    await here.operate('DELETE', `/1.0/images/${fingerprint}`);
    const { json } = await there.request('GET', '/1.0');
    const environment = json?.metadata.environment as { certificate: string };
    const server = `https://127.0.0.1:${String(ports[1])}`;
    const request = {
      aliases: [{ name: 'tiny' }],
      source: { type: 'image', protocol: 'lxd', server, certificate: environment.certificate, alias: 'inside' },
    };
    const refused = await here.operate('POST', '/1.0/images', request);
    expect(refused.json?.metadata).toMatchObject({ err: expect.stringContaining('not found') as string });
    await there.must('config', 'trust', 'add', path.join(here.directory, 'server.crt'), '--name', 'peer');
    const { json: taken } = await here.operate('POST', '/1.0/images', request);
    expect(taken?.metadata).toMatchObject({ status: 'Success', metadata: { fingerprint } });
    await removeImages(there);
  });

  test('a container is launched from an image of the other server, which is private', async () => {
    const [{ fingerprint }] = (await images(here)) as [Image];
    await here.must('image', 'copy', 'tiny', 'there:', '--alias', 'private');
    await removeImages(here);
    await here.must('launch', 'there:private', 'c3');
    expect(await here.must('exec', 'c3', '--', 'hostname')).toBe('c3\n');
    expect(await images(here)).toMatchObject([{ fingerprint, cached: true, public: false }]);
    await here.must('delete', 'c3', '--force');
    await here.must('image', 'copy', 'there:private', 'local:', '--alias', 'tiny');
    expect(await images(here)).toMatchObject([{ fingerprint, cached: false, aliases: [{ name: 'tiny' }] }]);
  });
});

describe('a stranger', () => {
  const url = (suffix: string): string => `https://127.0.0.1:${String(ports[0])}/1.0/images${suffix}`;

  test('sees a private image with its secret only, for one download', async () => {
    const tiny = namedOf(await images(here), 'tiny');
    const secret = await tokenFrom(here.request('POST', `/1.0/images/${tiny}/secret`));
    const file = path.join(here.directory, 'downloaded');
    expect(JSON.parse(await curl(url(`/${tiny}`)))).toMatchObject({ error_code: 404 });
    expect(JSON.parse(await curl(url(`/${tiny}?secret=${'0'.repeat(64)}`)))).toMatchObject({ error_code: 404 });
    expect(JSON.parse(await curl(url(`/${tiny}?secret=${secret}`)))).toMatchObject({ metadata: { fingerprint: tiny } });
    await curl('-o', file, url(`/${tiny}/export?secret=${secret}`));
    expect(readFileSync(file).equals(readFileSync(path.join(here.directory, 'images', tiny)))).toBe(true);
    await expect
      .poll(async () => JSON.parse(await curl(url(`/${tiny}?secret=${secret}`))) as unknown, { timeout: 10_000 })
      .toMatchObject({ error_code: 404 });
  });

  test('sends an image only with a secret for that very image', async () => {
    const image = makeBusyboxImage();
    const tiny = namedOf(await images(here), 'tiny');
    const send = async (fingerprint: string, secret: string): Promise<unknown> =>
      JSON.parse(
        await curl(
          ...['-X', 'POST', '--data-binary', `@${image.file}`, '-H', 'Content-Type: application/octet-stream'],
          ...['-H', `X-LXD-fingerprint: ${fingerprint}`, '-H', `X-LXD-secret: ${secret}`, url('')],
        ),
      );
    const source = { type: 'image', mode: 'push', fingerprint: 'a'.repeat(64) };
    const secret = await tokenFrom(here.request('POST', '/1.0/images', { source }));
    expect(await send('', '')).toMatchObject({ error_code: 403 });
    expect(await send(tiny, secret)).toMatchObject({ error_code: 403 });
    expect(await send('a'.repeat(64), secret)).toMatchObject({ error_code: 400 });
    // it was used up by the attempt
    expect(await send('a'.repeat(64), secret)).toMatchObject({ error_code: 403 });
    image.remove();
    expect(await images(here)).toHaveLength(1);
  });
});

/** A stock LXD of its own as peer. */
describe.skipIf(!existsSync('/usr/sbin/lxd') && !existsSync('/usr/bin/lxd'))('a stock LXD', () => {
  const directory = mkdtempSync('/tmp/lxd-like-stock-');
  const environment = { ...process.env, LXD_DIR: path.join(directory, 'lxd'), LXD_CONF: path.join(directory, 'lxc') };
  let lxd: ChildProcess;

  async function run(program: string, ...args: readonly string[]): Promise<Output> {
    return await new Promise(resolve =>
      execFile(program, args, { env: environment }, (error, stdout, stderr) =>
        resolve({ status: error ? 1 : 0, stdout, stderr }),
      ),
    );
  }

  beforeAll(async () => {
    mkdirSync(environment.LXD_DIR);
    lxd = spawn('lxd', ['--group', 'root'], { env: environment, stdio: 'ignore' });
    await run('lxd', 'waitready', '--timeout=60');
    const port = await freePort();
    await run('lxc', 'config', 'set', 'core.https_address', `127.0.0.1:${String(port)}`);
    await run('lxc', 'config', 'set', 'core.trust_password', 'sesame');
    const address = `127.0.0.1:${String(port)}`;
    await here.must('remote', 'add', 'stock', address, '--accept-certificate', '--password', 'sesame');
    const split = makeSplitImage('stock');
    const [metadata, rootfs] = [path.join(directory, 'metadata.tar.xz'), path.join(directory, 'rootfs.squashfs')];
    writeFileSync(metadata, split.metadata);
    writeFileSync(rootfs, split.rootfs);
    await here.must('image', 'import', metadata, rootfs, '--alias', 'split');
  });
  afterAll(async () => {
    await run('lxd', 'shutdown', '--timeout=20');
    lxd.kill('SIGKILL');
    for (const name of ['devlxd', 'shmounts']) await run('umount', '-l', path.join(environment.LXD_DIR, name));
    rmSync(directory, { recursive: true, force: true });
  });

  test.each(['pull', 'push', 'relay'])('takes our images and gives them back by %s', async mode => {
    for (const name of ['tiny', 'split']) {
      const fingerprint = namedOf(await images(here), name);
      await here.must('image', 'copy', name, 'stock:', '--mode', mode, '--alias', name);
      expect((await run('lxc', 'image', 'list', '-c', 'F', '--format', 'csv')).stdout).toContain(fingerprint);
      await here.must('image', 'delete', name);
      await here.must('image', 'copy', `stock:${name}`, 'local:', '--mode', mode, '--alias', name);
      expect((await images(here)).map(image => image.fingerprint)).toContain(fingerprint);
      await run('lxc', 'image', 'delete', fingerprint);
    }
  });
});
