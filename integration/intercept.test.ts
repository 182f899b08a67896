import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { installedPath } from '#base/install-root.ts';
import { settled, useDaemon } from './harness/fixture.ts';
import { hostPidOfInit } from './harness/processes.ts';

const daemon = useDaemon({ storage: 'dir' });
const prefix = 'security.syscalls.intercept';
const program = installedPath('native/build/guest-calls');
const [EPERM, ENOENT, ESRCH, EIO, EBADF, EFAULT, EEXIST, EINVAL, ENAMETOOLONG, ELOOP] = [
  1, 2, 3, 5, 9, 14, 17, 22, 36, 40,
];

/** Its init makes a node again and again, and writes down how that went. */
const busyInit = `#!/bin/sh
trap 'exec halt -f' PWR TERM
while :; do
  rm -f /tmp/by-init
  mknod /tmp/by-init c 1 3 2>/tmp/how.new && echo made >/tmp/how.new
  mv /tmp/how.new /tmp/how
  sleep 0.1
done
`;

const inside = async (name: string, ...command: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await daemon.cli(['exec', name, '--', ...command]);
  return stdout + stderr;
};
/** What the test program tells, by name. */
const calls = async (name: string, ...args: readonly string[]): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await inside(name, '/bin/guest-calls', ...args))
      .trim()
      .split('\n')
      .map(line => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
  );
const rootfs = (name: string): string =>
  path.join(daemon.directory, 'storage-pools/default/containers', name, 'rootfs');
const howInit = (): string => readFileSync(path.join(rootfs('c1'), 'tmp/how'), 'utf8').trim();
const interceptor = (name: string): number =>
  Number(readFileSync(path.join(daemon.directory, 'run', name, 'intercept'), 'utf8').split(' ')[0]);
/** Folder of the host that everybody may write to, and one that only its root may. */
const open = path.join(daemon.directory, 'open');
const closed = path.join(daemon.directory, 'closed');

/** With cgroup v1 a kernel may keep real-time schedulers from groups that were given no time for them. */
function allowRealTime(pid: number): { [Symbol.dispose](): void } {
  const [, group = ''] = /:(?:\w+,)*cpu(?:,\w+)*:(.*)/.exec(readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')) ?? [];
  const changed = ['', group].map(folder => `/sys/fs/cgroup/cpu${folder}/cpu.rt_runtime_us`).filter(hasNoTime);
  for (const file of changed) writeFileSync(file, '100000');
  return { [Symbol.dispose]: () => changed.toReversed().forEach(file => writeFileSync(file, '0')) };
}

const hasNoTime = (file: string): boolean => existsSync(file) && readFileSync(file, 'utf8').trim() === '0';

beforeAll(async () => {
  if (!existsSync(program)) execFileSync('make', ['-C', installedPath('native'), 'build/guest-calls']);
  chmodSync(daemon.directory, 0o711);
  for (const folder of [open, closed]) mkdirSync(folder);
  chmodSync(open, 0o777);
  await daemon.must('init', 'tiny', 'c1', '-c', `${prefix}.mknod=true`, '-c', `${prefix}.setxattr=true`);
  await daemon.must('config', 'set', 'c1', `${prefix}.sched_setscheduler`, 'true');
  await daemon.must('config', 'device', 'add', 'c1', 'open', 'disk', `source=${open}`, 'path=/open');
  await daemon.must('config', 'device', 'add', 'c1', 'closed', 'disk', `source=${closed}`, 'path=/closed');
  const fuse = ['fuse', 'unix-char', 'source=/dev/fuse', 'path=/dev/fuse-for-all', 'mode=0666'];
  await daemon.must('config', 'device', 'add', 'c1', ...fuse);
  await daemon.must('init', 'tiny', 'plain');
  for (const name of ['c1', 'plain'])
    await daemon.must('file', 'push', program, `${name}/bin/guest-calls`, '--mode=755');
  const pushed = await daemon.cli(['file', 'push', '-', 'c1/sbin/init', '--mode=755'], { input: busyInit });
  expect(pushed).toMatchObject({ status: 0 });
  await daemon.must('start', 'c1', 'plain');
});

test('harmless device nodes can be made, others cannot, and nothing can without the key', async () => {
  const make = async (name: string, kind: string, numbers: readonly string[]): Promise<readonly string[]> => {
    const tries = numbers.map(number => {
      const file = `/root/${kind}-${number.replace(' ', '-')}`;
      return `mknod ${file} ${kind} ${number} 2>/dev/null && echo ${number}`;
    });
    return (await inside(name, 'sh', '-c', tries.join(';'))).split('\n').filter(Boolean);
  };
  const harmless = ['0 0', '1 3', '1 5', '1 7', '1 8', '1 9', '5 0', '5 1'];
  expect(await make('c1', 'c', [...harmless, '1 1', '5 2', '10 229', '256 3', '4097 3'])).toEqual(harmless);
  expect(await make('c1', 'b', ['7 0', '1 3'])).toEqual([]);
  expect(await make('plain', 'c', harmless.slice(1))).toEqual([]);
  expect(await inside('c1', 'sh', '-c', 'head -c 3 /root/c-1-5 | wc -c; stat -c %u:%g:%a /root/c-1-5')).toBe(
    '3\n0:0:644\n',
  );
});

test('the node of the console cannot be opened: it is that of the host', async () => {
  expect(await inside('c1', 'cat', '/root/c-5-1')).toContain('Operation not permitted');
});

test('a node belongs to its maker, who needs the right to write there and the right to make nodes', async () => {
  await inside('c1', 'sh', '-c', 'mkdir /root/theirs && chown 7:8 /root/theirs');
  expect(await inside('c1', 'sh', '-c', 'umask 077; mknod /root/theirs/n c 1 3; stat -c %u:%a /root/theirs/n')).toBe(
    '0:600\n',
  );
  await inside('c1', 'sh', '-c', 'mkdir -m 777 /tmp/everybody');
  const user = await daemon.cli(['exec', 'c1', '--user=1000', '--', 'mknod', '/tmp/everybody/n', 'c', '1', '3']);
  expect(user).toMatchObject({ status: 1, stderr: expect.stringContaining('Operation not permitted') as unknown });
  expect(await inside('c1', 'mknod', '/closed/n', 'c', '1', '3')).toContain('Permission denied');
  expect(readdirSync(closed)).toEqual([]);
});

test('paths that make no sense fail as the kernel has them fail', async () => {
  expect(await calls('c1', 'bad-paths')).toEqual({
    null: EFAULT,
    wild: EFAULT,
    negative: EFAULT,
    long: ENAMETOOLONG,
    'long-name': ENAMETOOLONG,
    empty: ENOENT,
    root: EEXIST,
    dot: EEXIST,
    slash: ENOENT,
    'no-folder': EBADF,
    'any-folder': 0,
    edge: 0,
    unended: EFAULT,
    folder: 0,
  });
  expect(await calls('c1', 'links')).toEqual({ link: 0, magic: ELOOP, through: 0, dangling: EEXIST });
});

test('a path that changes meanwhile leads nowhere that its owner may not write', async () => {
  expect(await calls('c1', 'race', '/closed/x')).toEqual({ raced: 0 });
  expect(readdirSync(closed)).toEqual([]);
  expect(await calls('c1', 'die')).toEqual({ alive: 0 });
});

test('a call that never ends is given up, and holds up nobody else', async () => {
  const hanging = calls('c1', 'hang');
  const began = performance.now();
  expect(await calls('c1', 'node', '/tmp/meanwhile')).toEqual({ node: 0 });
  expect(performance.now() - began).toBeLessThan(4000);
  expect(await hanging).toEqual({ mount: 0, hang: EIO });
});

test('only the opaque mark of overlayfs is set, and only on what is the container’s own', async () => {
  await inside('c1', 'mkdir', '/root/layer');
  const onHost = (file: string): string => execFileSync(program, ['read-opaque', file], { encoding: 'utf8' });
  expect(await calls('plain', 'opaque', '/root')).toEqual({ opaque: EPERM });
  expect(await calls('c1', 'opaque', '/root/layer')).toEqual({ opaque: 0 });
  expect(onHost(path.join(rootfs('c1'), 'root/layer'))).toBe('y 0\n');
  expect(await calls('c1', 'opaque', '/open')).toEqual({ opaque: EPERM });
  expect(onHost(open)).toBe('none 0\n');
  expect(await calls('c1', 'opaque', '/nowhere')).toEqual({ opaque: ENOENT });
  expect(await calls('c1', 'other-value', '/root/layer')).toEqual({ other: EPERM });
  expect(await calls('c1', 'user-attribute', '/root/layer')).toEqual({ user: 0 });
});

test('real-time priorities can be had by processes of the container', async () => {
  using _time = allowRealTime(hostPidOfInit(daemon.directory, 'c1'));
  expect(await calls('plain', 'priority')).toMatchObject({ fifo: EPERM, policy: 0 });
  expect(await calls('c1', 'priority')).toEqual({
    fifo: 0,
    policy: 1,
    child: 0,
    'child-policy': 2,
    nobody: ESRCH,
    bad: EFAULT,
    range: EINVAL,
    other: 0,
  });
});

test('interception goes on without the daemon, and the container without interception', async () => {
  expect(await settled(() => howInit() === 'made')).toBe(true);
  const first = interceptor('c1');
  await daemon.kill();
  await daemon.start();
  expect(interceptor('c1')).toBe(first);
  expect(await calls('c1', 'node', '/tmp/after-restart')).toEqual({ node: 0 });
  await daemon.kill();
  process.kill(first, 'SIGKILL');
  expect(await settled(() => /not implemented/.test(howInit()))).toBe(true);
  await daemon.start();
  expect(await settled(() => howInit() === 'made')).toBe(true);
});

test('the process that intercepts is started again when it ends, and ends with its container', async () => {
  const first = interceptor('c1');
  process.kill(first, 'SIGKILL');
  expect(await settled(() => interceptor('c1') !== first)).toBe(true);
  expect(await settled(() => howInit() === 'made')).toBe(true);
  expect(await calls('c1', 'node', '/tmp/after-kill')).toEqual({ node: 0 });
  const last = interceptor('c1');
  await daemon.must('stop', 'c1', '--force');
  expect(await settled(() => !existsSync(`/proc/${String(last)}`))).toBe(true);
});

test('a privileged container has its own rights, and what is not intercepted is refused', async () => {
  await daemon.must('launch', 'tiny', 'c2', '-c', 'security.privileged=true', '-c', `${prefix}.mknod=true`);
  expect(await inside('c2', 'mknod', '/root/n', 'c', '1', '3')).toBe('');
  expect(existsSync(path.join(daemon.directory, 'run/c2/intercept'))).toBe(false);
  for (const call of ['bpf', 'mount']) {
    const { status, stderr } = await daemon.cli(['config', 'set', 'plain', `${prefix}.${call}=true`]);
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is not intercepted') as unknown,
    });
  }
});
