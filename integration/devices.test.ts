import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { limitOf } from './harness/cgroup-limit.ts';
import { settled, useDaemon } from './harness/fixture.ts';
import { hostPidOfInit } from './harness/processes.ts';

/** Stands for /dev, so that devices come and go as the tests like. */
const dev = mkdtempSync('/tmp/lxdl-dev-');
const daemon = useDaemon({ storage: 'dir', environment: { LXD_DEVMONITOR_DIR: dev } });
const inside = async (...command: readonly string[]): Promise<string> =>
  (await daemon.cli(['exec', 'c1', '--', ...command])).stdout;
const node = (name: string): string => path.join(daemon.directory, 'devices/c1', name);
const device = async (...args: readonly string[]): Promise<string> => await daemon.must('config', 'device', ...args);

beforeAll(async () => {
  execFileSync('mknod', ['-m', '0640', path.join(dev, 'zero-one'), 'c', '1', '5']);
  await daemon.must('launch', 'tiny', 'c1');
});
afterAll(() => rmSync(dev, { recursive: true, force: true }));

test('a character device is plugged into a running container, used and unplugged', async () => {
  await device('add', 'c1', 'my-zero', 'unix-char', `source=${dev}/zero-one`, 'path=/dev/nothing', 'uid=1000', 'gid=5');
  expect(statSync(node('unix.my--zero.dev-nothing')).isCharacterDevice()).toBe(true);
  expect(await inside('stat', '-c', '%F %a %u:%g %t:%T', '/dev/nothing')).toBe(
    'character special file 640 1000:5 1:5\n',
  );
  expect(await inside('sh', '-c', 'head -c 4 /dev/nothing | hexdump -e "4/1 \\"%d\\""')).toBe('0000');
  await device('remove', 'c1', 'my-zero');
  expect(await inside('ls', '/dev/nothing')).toBe('');
  expect(existsSync(node('unix.my--zero.dev-nothing'))).toBe(false);
});

test('devices by number are there from the start, with their mode, and only those may be used', async () => {
  await device('add', 'c1', 'kmsg', 'unix-char', 'path=/dev/log-of-host', 'major=1', 'minor=11', 'mode=0600');
  await device('add', 'c1', 'disk', 'unix-block', 'path=/dev/some-disk', 'major=7', 'minor=200');
  await daemon.must('restart', 'c1', '--force');
  expect(await inside('stat', '-c', '%F %a %t:%T', '/dev/log-of-host')).toBe('character special file 600 1:b\n');
  expect(await inside('stat', '-c', '%F %a %t:%T', '/dev/some-disk')).toBe('block special file 660 7:c8\n');
  const rules = limitOf(hostPidOfInit(daemon.directory, 'c1'), 'devices', 'cgroup.procs', 'devices.list');
  if (rules.includes(' ')) {
    expect(rules.split('\n')).toEqual(expect.arrayContaining(['c 1:11 rwm', 'b 7:200 rwm', 'c 1:3 rwm']));
    expect(rules).not.toMatch(/^a /m);
  }
  await device('remove', 'c1', 'kmsg');
  await device('remove', 'c1', 'disk');
});

test('a device that need not be there comes and goes with its source', async () => {
  const file = path.join(dev, 'later');
  await device('add', 'c1', 'later', 'unix-char', `source=${file}`, 'path=/dev/later', 'required=false');
  expect(await inside('ls', '/dev/later')).toBe('');
  execFileSync('mknod', [file, 'c', '1', '3']);
  expect(await settled(async () => (await inside('ls', '/dev/later')) !== '', 5000)).toBe(true);
  rmSync(file);
  expect(await settled(async () => (await inside('ls', '/dev/later')) === '', 5000)).toBe(true);
  await daemon.must('restart', 'c1', '--force');
  execFileSync('mknod', [file, 'c', '1', '3']);
  expect(await settled(async () => (await inside('ls', '/dev/later')) !== '', 5000)).toBe(true);
  await device('remove', 'c1', 'later');
  expect(await inside('ls', '/dev/later')).toBe('');
});

test('devices of hardware that is absent are taken where LXD takes them', async () => {
  await device('add', 'c1', 'stick', 'usb', 'vendorid=1234', 'productid=abcd');
  await device('add', 'c1', 'serial', 'unix-hotplug', 'vendorid=1234');
  await daemon.must('restart', 'c1', '--force');
  await device('remove', 'c1', 'stick');
  await device('remove', 'c1', 'serial');
  const { status, stderr } = await daemon.cli(['config', 'device', 'add', 'c1', 'card', 'gpu', 'id=99']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('no such GPU') });
});

test.each([
  ['unix-char', []],
  ['unix-char', ['source=/etc/passwd']],
  ['unix-char', ['path=/dev/x', 'major=a', 'minor=1']],
  ['unix-char', ['path=/dev/x', 'mode=0999']],
  ['unix-hotplug', []],
  ['unix-hotplug', ['vendorid=XYZ']],
  ['usb', ['vendorid=12345']],
  ['gpu', ['id=0', 'pci=0000:00:02.0']],
  ['gpu', ['gputype=mdev']],
  ['tpm', ['path=/dev/tpm0']],
  ['infiniband', ['parent=ib0']],
  ['disk', ['source=/nosuch', 'path=/mnt']],
  ['disk', ['source=/etc', 'path=/mnt', 'recursive=true', 'readonly=true']],
  ['disk', ['source=/etc', 'path=/mnt', 'limits.read=fast']],
  ['disk', ['source=/etc', 'path=/mnt', 'propagation=foo']],
  ['disk', ['source=ceph:rbd/x', 'path=/mnt']],
  ['disk', ['source=/etc', 'path=/mnt', 'raw.mount.options=a b']],
])('a device %s %j is refused and changes nothing', async (type, options) => {
  const answer = await daemon.cli(['config', 'device', 'add', 'c1', 'wrong', type, ...options]);
  expect(answer.status).toBe(1);
  expect(answer.stderr).toContain('wrong');
  expect(await device('list', 'c1')).not.toContain('wrong');
});

test('a folder brings mounts of the host along when it shall, and options hold', async () => {
  const folder = path.join(daemon.directory, 'folder');
  mkdirSync(path.join(folder, 'below'), { recursive: true });
  writeFileSync(path.join(folder, 'program'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
  execFileSync('mount', ['--bind', folder, folder]);
  execFileSync('mount', ['--make-shared', folder]);
  try {
    const options = [`source=${folder}`, 'path=/mnt/folder', 'recursive=true', 'propagation=rslave'];
    await device('add', 'c1', 'folder', 'disk', ...options, 'raw.mount.options=noexec');
    expect((await daemon.cli(['exec', 'c1', '--', '/mnt/folder/program'])).stdout).toBe('');
    for (const when of ['plugged in', 'from the start']) {
      execFileSync('mount', ['-t', 'tmpfs', when, path.join(folder, 'below')]);
      expect(await inside('grep', '/mnt/folder/below', '/proc/mounts')).toContain('tmpfs');
      execFileSync('umount', [path.join(folder, 'below')]);
      await daemon.must('restart', 'c1', '--force');
    }
    await device('remove', 'c1', 'folder');
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
});

test('places below one another come in their order, and a shifted folder is the guest’s own', async () => {
  const [upper, lower] = ['upper', 'lower'].map(name => path.join(daemon.directory, name)) as [string, string];
  for (const folder of [upper, lower]) mkdirSync(folder);
  mkdirSync(path.join(upper, 'sub'));
  writeFileSync(path.join(lower, 'file'), 'text');
  await device('add', 'c1', 'a-lower', 'disk', `source=${lower}`, 'path=/srv/data/sub', 'shift=true');
  await device('add', 'c1', 'b-upper', 'disk', `source=${upper}`, 'path=/srv/data');
  await daemon.must('restart', 'c1', '--force');
  expect(
    await inside('sh', '-c', 'stat -c %u /srv/data/sub/file; echo more >>/srv/data/sub/file; cat /srv/data/sub/file'),
  ).toBe('0\ntextmore\n');
  await device('remove', 'c1', 'a-lower');
  await device('remove', 'c1', 'b-upper');
});

test('the file system on a block device is mounted for one container', async () => {
  const image = path.join(daemon.directory, 'ext4.img');
  execFileSync('truncate', ['-s', '16M', image]);
  execFileSync('mkfs.ext4', ['-q', image]);
  const loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  try {
    await device('add', 'c1', 'data', 'disk', `source=${loop}`, 'path=/mnt/data', 'shift=true', 'limits.write=1MB');
    expect(await inside('grep', '/mnt/data', '/proc/mounts')).toContain('ext4');
    await inside('sh', '-c', 'echo kept >/mnt/data/file');
    const number = readFileSync(`/sys/class/block/${path.basename(loop)}/dev`, 'utf8').trim();
    const writes = (): string =>
      limitOf(hostPidOfInit(daemon.directory, 'c1'), 'blkio', 'io.max', 'blkio.throttle.write_bps_device');
    expect(writes()).toContain(`${number} `);
    await daemon.must('restart', 'c1', '--force');
    expect(await inside('cat', '/mnt/data/file')).toBe('kept\n');
    expect(writes()).toContain('1000000');
    await device('remove', 'c1', 'data');
    expect(writes()).not.toContain('1000000');
  } finally {
    execFileSync('losetup', ['--detach', loop]);
  }
});
