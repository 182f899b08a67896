import { lstatSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

// As on a file system without id-mapped mounts: ids are shifted on disk.
const without = { LXD_IDMAPPED_MOUNTS_DISABLE: 'true' };
const daemon = useDaemon({ storage: 'dir', environment: without });

const script = 'stat -c %u:%g /sbin/init /home/mine /etc/hostname; cat /etc/hostname; id -u';

function onDisk(instance: string, file: string): number {
  return lstatSync(path.join(daemon.directory, 'storage-pools/default/containers', instance, 'rootfs', file)).uid;
}

test('a container sees its own ids, on disk they are those of its range', async () => {
  await daemon.must('init', 'tiny', 'c1');
  await daemon.must('file', 'push', '/etc/hostname', 'c1/home/mine', '--uid=1000', '--gid=1000');
  await daemon.must('start', 'c1');
  expect(await daemon.must('exec', 'c1', '--', 'sh', '-c', script)).toBe('0:0\n1000:1000\n0:0\nc1\n0\n');
  expect([onDisk('c1', 'home/mine') - onDisk('c1', 'sbin/init'), onDisk('c1', 'sbin/init') > 65_535]).toEqual([
    1000,
    true,
  ]);
  await daemon.must('exec', 'c1', '--', 'touch', '/root/made');
});

test('files of a stopped one, snapshots and copies keep the ids of the container', async () => {
  await daemon.must('snapshot', 'c1', 'before');
  await daemon.must('stop', 'c1', '--force');
  await daemon.must('file', 'push', '/etc/hostname', 'c1/home/other', '--uid=7', '--gid=7');
  await daemon.must('copy', 'c1/before', 'c2');
  await daemon.must('start', 'c2');
  expect(await daemon.must('exec', 'c2', '--', 'sh', '-c', script)).toBe('0:0\n1000:1000\n0:0\nc2\n0\n');
  await daemon.must('restore', 'c1', 'before');
  await daemon.must('start', 'c1');
  expect(await daemon.must('exec', 'c1', '--', 'sh', '-c', 'ls /home; stat -c %u /root/made')).toBe('mine\n0\n');
});

test('a custom volume follows the ids of the instance that it is attached to', async () => {
  await daemon.must('storage', 'volume', 'create', 'default', 'data');
  await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'c1', 'data', '/mnt');
  await daemon.must('exec', 'c1', '--', 'sh', '-c', 'touch /mnt/file && chown 5:5 /mnt/file');
  expect(await daemon.must('exec', 'c1', '--', 'stat', '-c', '%u:%g', '/mnt', '/mnt/file')).toBe('0:0\n5:5\n');
  await daemon.must('storage', 'volume', 'detach', 'default', 'data', 'c1');
  await daemon.must('storage', 'volume', 'delete', 'default', 'data');
});

test('a privileged container has the ids on disk as they are', async () => {
  await daemon.must('stop', 'c2', '--force');
  await daemon.must('config', 'set', 'c2', 'security.privileged=true');
  await daemon.must('start', 'c2');
  expect([onDisk('c2', 'sbin/init'), onDisk('c2', 'home/mine')]).toEqual([0, 1000]);
});

test('a daemon that can mount shifted takes the ids back at the next start', async () => {
  await daemon.must('stop', 'c1', '--force');
  await daemon.terminate();
  await daemon.start({ LXD_IDMAPPED_MOUNTS_DISABLE: '' });
  await daemon.must('start', 'c1');
  expect(onDisk('c1', 'sbin/init')).toBe(0);
  expect(await daemon.must('exec', 'c1', '--', 'sh', '-c', script)).toBe('0:0\n1000:1000\n0:0\nc1\n0\n');
});
