import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { StockDaemon } from './oracle/stock-daemon.ts';

// Optimized backups of instances in which the guest has made subvolumes, here and with stock LXD.
const ours = useDaemon({ storage: 'btrfs', image: false });
const stock = new StockDaemon();
const work = mkdtempSync(path.join(tmpdir(), 'nested-'));
const btrfs = (...args: string[]): string => execFileSync('btrfs', args, { encoding: 'utf8' });

async function lxc(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await stock.lxc(args);
  if (status !== 0) throw new Error(`lxc ${args.join(' ')}: ${stderr}`);
  return stdout;
}
const rootfs = (daemon: { readonly directory: string }, name: string, snapshot?: string): string =>
  path.join(
    daemon.directory,
    'storage-pools/default',
    snapshot === undefined ? `containers/${name}` : `containers-snapshots/${name}/${snapshot}`,
    'rootfs',
  );

async function makePet(daemon: { readonly directory: string }, run: (...args: string[]) => Promise<string>) {
  await run('init', '--empty', 'pet');
  const root = rootfs(daemon, 'pet');
  mkdirSync(path.join(root, 'srv'), { recursive: true });
  for (const inner of ['srv/sub', 'srv/sub/deep']) {
    btrfs('-q', 'subvolume', 'create', path.join(root, inner));
    writeFileSync(path.join(root, inner, 'file'), `first ${inner}`);
  }
  await run('snapshot', 'pet', 's0');
  btrfs('-q', 'subvolume', 'create', path.join(root, 'new'));
  writeFileSync(path.join(root, 'srv/sub/file'), 'second');
  writeFileSync(path.join(root, 'new/file'), 'new');
}

function expectPet(daemon: { readonly directory: string }, name: string): void {
  const read = (snapshot: string | undefined, file: string): string =>
    readFileSync(path.join(rootfs(daemon, name, snapshot), file), 'utf8');
  expect([read('s0', 'srv/sub/file'), read('s0', 'srv/sub/deep/file')]).toEqual([
    'first srv/sub',
    'first srv/sub/deep',
  ]);
  expect([read(undefined, 'srv/sub/file'), read(undefined, 'srv/sub/deep/file')]).toEqual([
    'second',
    'first srv/sub/deep',
  ]);
  expect(read(undefined, 'new/file')).toBe('new');
  btrfs('subvolume', 'show', path.join(rootfs(daemon, name), 'srv/sub/deep'));
  writeFileSync(path.join(rootfs(daemon, name), 'srv/sub/deep/file'), 'the guest may write');
}

const namesIn = (archive: string): readonly string[] =>
  execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).trim().split('\n');

beforeAll(async () => {
  await stock.start();
  await lxc('storage', 'create', 'default', 'btrfs', 'size=1GiB');
  await lxc('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default');
  await makePet(stock, lxc);
  await makePet(ours, (...args) => ours.must(...args));
});
afterAll(async () => {
  await stock.destroy();
  rmSync(work, { recursive: true });
});

test('an archive of ours has the files of one of stock LXD, and each side takes both', async () => {
  const [mine, theirs] = [path.join(work, 'mine.tar.gz'), path.join(work, 'theirs.tar.gz')];
  await ours.must('export', 'pet', mine, '--optimized-storage');
  await lxc('export', 'pet', theirs, '--optimized-storage');
  expect(namesIn(mine)).toEqual(namesIn(theirs));

  await ours.must('delete', 'pet');
  await lxc('delete', 'pet');
  for (const archive of [theirs, mine]) {
    await ours.must('import', archive);
    expectPet(ours, 'pet');
    await ours.must('delete', 'pet');
    await lxc('import', archive);
    expectPet(stock, 'pet');
    await lxc('delete', 'pet');
  }
});

test('a volume with a subvolume in it goes along, too', async () => {
  await ours.must('storage', 'volume', 'create', 'default', 'data');
  const folder = path.join(ours.directory, 'storage-pools/default/custom/default_data');
  btrfs('-q', 'subvolume', 'create', path.join(folder, 'inner'));
  writeFileSync(path.join(folder, 'inner/file'), 'x');
  const archive = path.join(work, 'volume.tar.gz');
  await ours.must('storage', 'volume', 'export', 'default', 'data', archive, '--optimized-storage');
  await ours.must('storage', 'volume', 'delete', 'default', 'data');
  await ours.must('storage', 'volume', 'import', 'default', archive, 'data');
  expect(readFileSync(path.join(folder, 'inner/file'), 'utf8')).toBe('x');
  await ours.must('storage', 'volume', 'delete', 'default', 'data');
});
