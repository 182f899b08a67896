import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { limitOf } from './harness/cgroup-limit.ts';
import { settled, useDaemon } from './harness/fixture.ts';
import { hostPidOfInit } from './harness/processes.ts';

const daemon = useDaemon({ storage: 'dir' });

const pid = (name: string): number => hostPidOfInit(daemon.directory, name);
const config = async (name: string): Promise<Record<string, string>> =>
  (await daemon.request('GET', `/1.0/instances/${name}`)).json?.metadata.config as Record<string, string>;
const inside = async (name: string, ...command: readonly string[]): Promise<string> =>
  await daemon.must('exec', name, '--', ...command);

test('priorities are in force from the start and change at once', async () => {
  await daemon.must('launch', 'tiny', 'c1', '-c', 'limits.cpu.priority=5', '-c', 'limits.disk.priority=3');
  const shares = (): string => limitOf(pid('c1'), 'cpu', 'cpu.weight', 'cpu.shares');
  const weight = (): string => limitOf(pid('c1'), 'blkio', 'io.bfq.weight', 'blkio.bfq.weight');
  expect([shares(), weight()]).toEqual(['1019', '300']);
  await daemon.must('config', 'set', 'c1', 'limits.cpu.priority=0', 'limits.disk.priority=10');
  expect([shares(), weight()]).toEqual(['1014', '1000']);
  await daemon.must('config', 'unset', 'c1', 'limits.disk.priority');
  expect(weight()).toBe('100');
});

test('a limit of CPUs that is lifted gives all of them back', async () => {
  const cpus = (): string => limitOf(pid('c1'), 'cpuset', 'cpuset.cpus.effective', 'cpuset.cpus');
  const all = cpus();
  await daemon.must('config', 'set', 'c1', 'limits.cpu', '0');
  expect(cpus()).toBe(all);
  await daemon.must('config', 'set', 'c1', 'limits.cpu', '0-0');
  expect(cpus()).toBe('0');
  await daemon.must('config', 'unset', 'c1', 'limits.cpu');
  expect(cpus()).toBe(all);
});

test('the swap priority holds without a limit of memory', async () => {
  await daemon.must('config', 'set', 'c1', 'limits.memory.swap.priority', '2');
  expect(limitOf(pid('c1'), 'memory', 'memory.low', 'memory.swappiness')).toMatch(/^(52|0)$/);
  await daemon.must('config', 'set', 'c1', 'limits.memory.swap', 'false');
  expect(limitOf(pid('c1'), 'memory', 'memory.swap.max', 'memory.swappiness')).toBe('0');
});

test('raw.idmap gives an instance ids of the host, here and in its own files', async () => {
  const shared = path.join(daemon.directory, 'shared');
  writeFileSync(shared, 'from the host');
  await daemon.must('init', 'tiny', 'c2', '-c', 'raw.idmap=both 4321 1000');
  await daemon.must('config', 'device', 'add', 'c2', 'shared', 'disk', `source=${shared}`, 'path=/mnt/shared');
  await daemon.must('start', 'c2');
  expect(JSON.parse((await config('c2'))['volatile.idmap.next'] ?? '')).toContainEqual({
    Isuid: true,
    Isgid: true,
    Hostid: 4321,
    Nsid: 1000,
    Maprange: 1,
  });
  expect(await inside('c2', 'stat', '-c', '%u', '/mnt/shared')).toBe('65534\n');
  const process = await daemon.cli([
    'exec',
    'c2',
    '--user',
    '1000',
    '--',
    'sh',
    '-c',
    'echo $$; cat /proc/self/uid_map',
  ]);
  expect(process.stdout).toMatch(/^ +1000 +4321 +1$/m);
  await inside('c2', 'sh', '-c', 'echo mine >/root/mine; chown 1000:1000 /root/mine');
  expect(await inside('c2', 'stat', '-c', '%u:%g', '/root/mine')).toBe('1000:1000\n');
  await daemon.must('config', 'set', 'c2', 'raw.idmap', '');
  await daemon.must('restart', 'c2', '--force');
  expect(await inside('c2', 'stat', '-c', '%u:%g', '/root/mine')).toBe('1000:1000\n');
});

test('a stopped instance takes another map, and its files keep their owners', async () => {
  await daemon.must('stop', 'c2', '--force');
  for (const [key, base] of [
    ['security.idmap.isolated', /^[1-9]\d+$/],
    ['security.privileged', /^0$/],
  ] as const) {
    await daemon.must('config', 'set', 'c2', key, 'true');
    await daemon.must('start', 'c2');
    expect((await config('c2'))['volatile.idmap.base']).toMatch(base);
    expect(statSync(`/proc/${String(pid('c2'))}`).uid).toBe(Number((await config('c2'))['volatile.idmap.base']));
    expect(await inside('c2', 'stat', '-c', '%u:%g', '/root/mine')).toBe('1000:1000\n');
    await daemon.must('stop', 'c2', '--force');
  }
});

test('environment, resource limits, sysctls and lines for liblxc reach the guest', async () => {
  const keys = ['environment.COLOR=red', 'limits.kernel.nofile=123:456', 'linux.sysctl.net.ipv4.ip_forward=1'];
  await daemon.must('init', 'tiny', 'c3', ...keys.flatMap(key => ['-c', key]), '-c', 'raw.lxc=lxc.environment = A=b');
  await daemon.must('start', 'c3');
  const init = readFileSync(`/proc/${String(pid('c3'))}/environ`, 'utf8').split('\0');
  expect(init).toEqual(expect.arrayContaining(['COLOR=red', 'A=b']));
  expect(readFileSync(`/proc/${String(pid('c3'))}/limits`, 'utf8')).toMatch(/^Max open files +123 +456/m);
  expect(await inside('c3', 'cat', '/proc/sys/net/ipv4/ip_forward')).toBe('1\n');
});

test('refused system calls are refused to init and to commands that come later, also after a restart of the daemon', async () => {
  const deny = 'security.syscalls.deny=mkdir errno 1\nmkdirat errno 1';
  await daemon.must('launch', 'tiny', 'c4', '-c', deny);
  const make = async (name: string): Promise<string> =>
    (await daemon.cli(['exec', name, '--', 'mkdir', '/new'])).stderr;
  expect(await make('c4')).toContain('Operation not permitted');
  await daemon.terminate();
  await daemon.start();
  expect(await make('c4')).toContain('Operation not permitted');
  await daemon.must('config', 'unset', 'c4', 'security.syscalls.deny');
  await daemon.must('config', 'set', 'c4', 'security.syscalls.deny_default', 'false');
  await daemon.must('restart', 'c4', '--force');
  expect(await make('c4')).toBe('');
  const both = await daemon.cli(['config', 'set', 'c4', 'raw.seccomp=2\ndenylist\n[all]\nmkdir errno 2']);
  expect(both).toMatchObject({ status: 1, stderr: expect.stringContaining('cannot be set with') as unknown });
  await daemon.must('config', 'unset', 'c4', 'security.syscalls.deny_default');
  await daemon.must('config', 'set', 'c4', 'raw.seccomp=2\ndenylist\n[all]\nrmdir errno 5\nunlinkat errno 5');
  await daemon.must('restart', 'c4', '--force');
  expect((await daemon.cli(['exec', 'c4', '--', 'rmdir', '/new'])).stderr).toContain('Input/output error');
  await daemon.must('delete', 'c4', '--force');
});

test('cloud-init sees a new instance only when its data changes', async () => {
  const id = async (): Promise<string> => (await config('c3'))['volatile.cloud-init.instance-id'] ?? '';
  const first = await id();
  await daemon.must('config', 'set', 'c3', 'user.color', 'blue');
  expect(await id()).toBe(first);
  await daemon.must('config', 'set', 'c3', 'cloud-init.user-data', '#cloud-config');
  expect(await id()).not.toBe(first);
});

test('instances start after the daemon in the order of their priority, and as they were left', async () => {
  await daemon.must('config', 'set', 'c1', 'boot.autostart=true', 'boot.autostart.priority=1');
  await daemon.must(
    'config',
    'set',
    'c2',
    'boot.autostart=true',
    'boot.autostart.priority=5',
    'boot.autostart.delay=1',
  );
  await daemon.must('config', 'unset', 'c2', 'security.privileged');
  await daemon.must('start', 'c2');
  await daemon.must('shutdown', '--timeout=20');
  await daemon.ended();
  await daemon.start();
  const states = async (): Promise<string> => await daemon.must('list', '-f', 'csv', '-c', 'ns');
  expect(await settled(async () => (await states()).split('RUNNING').length === 4, 20_000)).toBe(true);
  const started = (name: string): number => statSync(`/proc/${String(pid(name))}`).ctimeMs;
  expect(started('c1') - started('c2')).toBeGreaterThan(900);
});
