import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBusyboxImage } from './harness/busybox-image.ts';
import { TestDaemon } from './harness/daemon.ts';
import { settled, useDaemons } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';
import { fingerprintOfTree, litterIn } from './harness/peers.ts';
import { StockDaemon } from './oracle/stock-daemon.ts';

const ours = new TestDaemon();
useDaemons([[ours, { storage: 'btrfs', image: false }]]);
const stock = new StockDaemon();

/** Stock LXD's own client, which knows both servers. */
async function lxc(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await stock.lxc(args);
  if (status !== 0) throw new Error(`lxc ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function rootfs(daemon: { readonly directory: string }, pool: string, name: string): string {
  return path.join(daemon.directory, 'storage-pools', pool, 'containers', name, 'rootfs');
}

beforeAll(async () => {
  await stock.start();
  await lxc('storage', 'create', 'default', 'btrfs', 'size=2GiB');
  await lxc('storage', 'create', 'plain', 'dir');
  await lxc('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default');
  await lxc('config', 'set', 'core.https_address', `127.0.0.1:${String(await freePort())}`);
  await lxc('config', 'set', 'core.trust_password', 'sesame');
  await ours.must('storage', 'create', 'plain', 'dir');
  await ours.must('config', 'set', 'core.https_address', `127.0.0.1:${String(await freePort())}`);
  await ours.must('config', 'set', 'core.trust_password', 'sesame');
  const address = async (text: Promise<string>): Promise<string> => (await text).trim();
  const joined = ['--accept-certificate', '--password', 'sesame'];
  await lxc('remote', 'add', 'ours', await address(ours.must('config', 'get', 'core.https_address')), ...joined);
  await ours.must('remote', 'add', 'stock', await address(lxc('config', 'get', 'core.https_address')), ...joined);

  const image = makeBusyboxImage();
  await lxc('image', 'import', image.file, '--alias', 'tiny');
  image.remove();
  await lxc('init', 'tiny', 'pet');
  const root = rootfs(stock, 'default', 'pet');
  writeFileSync(path.join(root, 'home/owned'), 'x');
  execFileSync('chown', ['1000:1001', path.join(root, 'home/owned')]);
  await lxc('snapshot', 'pet', 'first');
  writeFileSync(path.join(root, 'home/later'), 'later');
  await lxc('snapshot', 'pet', 'second');
});
afterAll(async () => {
  await stock.destroy();
});

describe('from stock LXD to ours and back', () => {
  test.each([
    ['default', 'pull'],
    ['plain', 'push'],
    ['default', 'relay'],
  ])('by way of pool %s by %s', async (pool, mode) => {
    const name = `pet-${mode}`;
    await lxc('copy', 'pet', `ours:${name}`, '-s', pool, '--mode', mode);
    const original = fingerprintOfTree(rootfs(stock, 'default', 'pet'));
    expect(fingerprintOfTree(rootfs(ours, pool, name))).toBe(original);
    expect(await ours.must('list', name, '-f', 'csv', '-c', 'nsS')).toBe(`${name},STOPPED,2\n`);
    await ours.must('start', name);
    expect(await ours.must('exec', name, '--', 'stat', '-c', '%u:%g', '/home/owned')).toBe('1000:1001\n');
    await ours.must('stop', name, '--force');
    await ours.must('copy', name, 'stock:back', '-s', pool, '--mode', mode);
    expect(await lxc('list', 'back', '-f', 'csv', '-c', 'nsS')).toBe('back,STOPPED,2\n');
    expect(fingerprintOfTree(rootfs(stock, pool, 'back'))).toBe(fingerprintOfTree(rootfs(ours, pool, name)));
    await lxc('delete', 'back');
    await ours.must('delete', name);
    await settled(() => litterIn(ours).length === 0);
    expect(litterIn(ours)).toEqual([]);
  });
});

test('a refresh of either side carries what is new', async () => {
  await lxc('copy', 'pet', 'ours:kept');
  writeFileSync(path.join(rootfs(stock, 'default', 'pet'), 'home/news'), 'news');
  await lxc('snapshot', 'pet', 'third');
  await lxc('delete', 'pet/first');
  await lxc('copy', 'pet', 'ours:kept', '--refresh');
  expect(fingerprintOfTree(rootfs(ours, 'default', 'kept'))).toBe(fingerprintOfTree(rootfs(stock, 'default', 'pet')));
  expect(await ours.must('list', 'kept', '-f', 'csv', '-c', 'S')).toBe('2\n');

  await ours.must('copy', 'kept', 'stock:again');
  writeFileSync(path.join(rootfs(ours, 'default', 'kept'), 'home/more'), 'more');
  await ours.must('snapshot', 'kept', 'fourth');
  await ours.must('copy', 'kept', 'stock:again', '--refresh');
  expect(fingerprintOfTree(rootfs(stock, 'default', 'again'))).toBe(fingerprintOfTree(rootfs(ours, 'default', 'kept')));
  expect(await lxc('list', 'again', '-f', 'csv', '-c', 'S')).toBe('3\n');
});

test('a move goes there and back again', async () => {
  await lxc('move', 'pet', 'ours:');
  expect(await lxc('list', 'pet', '-f', 'csv', '-c', 'n')).toBe('');
  await lxc('move', 'ours:pet', 'local:pet');
  expect(await lxc('list', 'pet', '-f', 'csv', '-c', 'nS')).toBe('pet,2\n');
  expect(await ours.must('list', 'pet', '-f', 'csv', '-c', 'n')).toBe('');
});

test('a custom volume', async () => {
  await lxc('storage', 'volume', 'create', 'default', 'data');
  const folder = (daemon: { readonly directory: string }): string =>
    path.join(daemon.directory, 'storage-pools', 'default', 'custom', 'default_data');
  writeFileSync(path.join(folder(stock), 'file'), 'content');
  await lxc('storage', 'volume', 'snapshot', 'default', 'data', 'first');
  await lxc('storage', 'volume', 'move', 'default/data', 'ours:default/data');
  expect(fingerprintOfTree(folder(ours))).toContain('file');
  await lxc('storage', 'volume', 'move', 'ours:default/data', 'default/data');
  expect(fingerprintOfTree(folder(stock))).toContain('file');
  await lxc('storage', 'volume', 'delete', 'default', 'data');
});

test('a running container of ours is migrated to stock LXD in rounds', async () => {
  await ours.must('start', 'kept');
  const output = await ours.must('migrate', 'kept', 'stock:mover', '--timeout', '5');
  expect(output).toMatch(/method near-live, \d+ rounds/);
  expect(await lxc('list', 'mover', '-f', 'csv', '-c', 's')).toBe('RUNNING\n');
});
