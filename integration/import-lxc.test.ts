import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBusyboxRoot } from './harness/busybox-image.ts';
import { settled } from './harness/fixture.ts';
import { fingerprintOfTree, litterIn, rootfsOf, usePeers } from './harness/peers.ts';

const { here, there } = usePeers({ network: true });

const lxcPath = mkdtempSync('/tmp/lxd-like-lxc-');
afterAll(() => rmSync(lxcPath, { recursive: true }));

function makeContainer(name: string, config: string, shift = 0): string {
  const rootfs = path.join(lxcPath, name, 'rootfs');
  mkdirSync(rootfs, { recursive: true });
  makeBusyboxRoot(rootfs);
  writeFileSync(path.join(rootfs, 'home/hers'), 'hers');
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', path.join(rootfs, 'home/hers')]);
  execFileSync('ln', [path.join(rootfs, 'home/hers'), path.join(rootfs, 'home/linked')]);
  execFileSync('ln', ['-s', '/etc/shadow', path.join(rootfs, 'home/out')]);
  execFileSync('chown', ['-Rh', `${String(shift)}:${String(shift)}`, rootfs]);
  execFileSync('chown', [`${String(shift + 1000)}:${String(shift + 1001)}`, path.join(rootfs, 'home/hers')]);
  execFileSync('chmod', ['4750', path.join(rootfs, 'home/hers')]);
  writeFileSync(
    path.join(lxcPath, name, 'config'),
    config.replaceAll('ROOTFS', rootfs).replaceAll('BRIDGE', here.bridge),
  );
  return rootfs;
}

beforeAll(() => {
  makeContainer(
    'old',
    `lxc.include = /usr/share/lxc/config/common.conf
lxc.id_map = u 0 100000 65536
lxc.id_map = g 0 100000 65536
lxc.rootfs = ROOTFS
lxc.utsname = old
lxc.network.type = veth
lxc.network.link = BRIDGE
lxc.network.hwaddr = 00:16:3e:11:22:33
lxc.cgroup.memory.limit_in_bytes = 128M
lxc.mount.entry = ${lxcPath}/shared srv/shared none bind,ro,create=dir 0 0
lxc.hook.start = /bin/true
`,
    100_000,
  );
  mkdirSync(path.join(lxcPath, 'shared'));
  writeFileSync(path.join(lxcPath, 'shared/note'), 'of the host');
  makeContainer('plain', 'lxc.rootfs.path = dir:ROOTFS\nlxc.uts.name = plain\nlxc.net.0.type = empty\n');
});

async function importLxc(...words: readonly string[]): ReturnType<typeof here.cli> {
  return await here.cli(['import-lxc', '--lxcpath', lxcPath, ...words]);
}

test('a plan tells of every line and changes nothing', async () => {
  const { status, stdout } = await importLxc('--all', '--plan');
  expect(status).toBe(0);
  expect(stdout).toContain('take  lxc.cgroup.memory.limit_in_bytes = 128M  (limits.memory=128MiB)\n');
  expect(stdout).toContain('drop  lxc.hook.start = /bin/true  (it would run as root of the host)\n');
  expect(stdout).toContain('note  its root was root of the host');
  expect((await here.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
});

test('a container whose ids are shifted becomes an instance with its own ids, and runs', async () => {
  const { status, stderr } = await importLxc('old');
  expect([status, stderr]).toEqual([0, '']);
  const root = rootfsOf(here, 'default', 'old');
  const hers = statSync(path.join(root, 'home/hers'));
  expect([hers.uid, hers.gid, hers.mode & 0o7777, hers.nlink]).toEqual([1000, 1001, 0o4750, 2]);
  expect(execFileSync('getfattr', ['-dm', '-', path.join(root, 'home/hers')], { encoding: 'utf8' })).toContain('kept');
  const { json } = await here.request('GET', '/1.0/instances/old');
  expect(json?.metadata).toMatchObject({
    config: { 'limits.memory': '128MiB' },
    devices: { eth0: { network: here.bridge, hwaddr: '00:16:3e:11:22:33' } },
  });
  await here.must('start', 'old');
  expect(await here.must('exec', 'old', '--', 'cat', '/srv/shared/note')).toBe('of the host');
  expect(await here.must('exec', 'old', '--', 'stat', '-c', '%u:%g', '/home/hers')).toBe('1000:1001\n');
  expect(await here.must('exec', 'old', '--', 'cat', '/sys/class/net/eth0/address')).toBe('00:16:3e:11:22:33\n');
  await here.must('delete', 'old', '--force');
});

test('one without id map goes to another server under another name, file by file the same', async () => {
  const { status, stderr } = await importLxc('there:', 'plain', '--as', 'fresh', '-s', 'plain', '-c', 'user.a=b');
  expect([status, stderr]).toEqual([0, '']);
  expect(fingerprintOfTree(rootfsOf(there, 'plain', 'fresh'))).toBe(
    fingerprintOfTree(path.join(lxcPath, 'plain/rootfs')),
  );
  const { json } = await there.request('GET', '/1.0/instances/fresh');
  expect(json?.metadata).toMatchObject({ config: { 'user.a': 'b' }, devices: { eth0: { type: 'none' } } });
  await there.must('delete', 'fresh');
});

test('what stands in the way is named, and leaves nothing', async () => {
  makeContainer('block', 'lxc.rootfs.path = overlay:/a:/b\nlxc.net.0.type = veth\nlxc.net.0.link = nowhere\n');
  const refused = await importLxc('block');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('no network "nowhere": choose one with "--network"');
  expect(refused.stderr).toContain('"overlay:/a:/b" is not a folder: mount it and name the folder with "--rootfs"');
  const rootfs = path.join(lxcPath, 'plain/rootfs');
  const { status } = await importLxc('block', '--rootfs', rootfs, '--network', here.bridge);
  expect(status).toBe(0);
  const again = await importLxc('block', '--rootfs', rootfs, '--network', here.bridge);
  expect([again.status, again.stderr]).toEqual([1, 'Error: Instance "block" already exists\n']);
  await here.must('delete', 'block');
  rmSync(path.join(lxcPath, 'block'), { recursive: true });
});

test('a folder without containers is named', async () => {
  const { status, stderr } = await here.cli(['import-lxc', '--lxcpath', '/var/empty', '--all']);
  expect([status, stderr]).toEqual([
    1,
    'Error: There is no container of LXC in /var/empty; name another folder with "--lxcpath"\n',
  ]);
});

test('a container that runs is refused with the command that stops it', async () => {
  const holder = spawn('socat', [`ABSTRACT-LISTEN:${lxcPath}/plain/command`, '/dev/null']);
  try {
    await settled(() => readFileSync('/proc/net/unix', 'utf8').includes(`@${lxcPath}/plain/command`));
    const { status, stderr } = await importLxc('plain');
    expect([status, stderr]).toEqual([
      1,
      `Error: Cannot import "plain": it runs: stop it with "lxc-stop -P ${lxcPath} -n plain"\n`,
    ]);
  } finally {
    holder.kill();
  }
});

test('files that no range of ids covers end it, and nothing is left', async () => {
  const rootfs = makeContainer('mixed', 'lxc.idmap = b 0 100000 65536\nlxc.rootfs.path = ROOTFS\n', 100_000);
  execFileSync('chown', ['5:5', path.join(rootfs, 'home/hers')]);
  const { status } = await importLxc('mixed');
  expect(status).toBe(1);
  expect((await here.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
  expect(existsSync(rootfsOf(here, 'default', 'mixed'))).toBe(false);
  expect(litterIn(here)).toEqual([]);
});
