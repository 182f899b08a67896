import { describe, expect, test } from 'vitest';
import { changesCloudInit } from './cloud-init-id.ts';
import { checkConfig } from './config-keys.ts';
import { expand, rootDevice } from '../profiles/expand-config.ts';
import { parseFilter } from './filter.ts';
import { idmapOf, idmapVolatile, keptIdmap, parseSubordinateIds } from './idmap.ts';
import { hostIdOf, idmapLines } from '../runtime/idmap.ts';
import { formatCpuSet, resourceLimits } from './limits.ts';
import { nvidiaLines, nvidiaProblem } from './nvidia.ts';
import { expiryTime, isExpired } from './snapshot-expiry.ts';
import { assertAllowed, statusOf } from './status.ts';
import { intercepts, seccompPolicy, syscallProblem } from './syscall-keys.ts';
import { volatileProblem } from './volatile-keys.ts';

const host = { memoryBytes: 1000 * 2 ** 20, cpus: [0, 1, 2, 3] };

describe('config keys', () => {
  test.each([
    ['limits.cpu', '0-1,3'],
    ['limits.cpu.allowance', '25ms/100ms'],
    ['limits.memory', '10%'],
    ['limits.kernel.nofile', '1000:unlimited'],
    ['boot.autostart', 'yes'],
    ['cloud-init.user-data', '#cloud-config\npackages: []\n'],
    ['security.syscalls.deny_default', 'true'],
    ['linux.sysctl.net.ipv4.ip_forward', '1'],
    ['raw.lxc', 'lxc.mount.auto = proc\n# comment'],
    ['snapshots.expiry', '3d 12H'],
    ['limits.cpu', '0'],
    ['limits.cpu.allowance', '200%'],
    ['limits.memory', '1'],
    ['limits.hugepages.2MB', '8MiB'],
    ['boot.autostart.delay', '-5'],
    ['cluster.evacuate', 'live-migrate'],
    ['migration.incremental.memory', 'true'],
    ['nvidia.driver.capabilities', 'all'],
    ['raw.apparmor', 'anything'],
    ['raw.idmap', 'uid 1000-1005 2000-2005\ngid 5 5'],
    ['security.idmap.size', '0'],
    ['security.syscalls.deny', 'mkdir errno 1\nmount\n# why\n[all]\nmkdirat kill [1,0,SCMP_CMP_EQ]'],
    ['security.syscalls.intercept.mknod', 'true'],
    ['security.syscalls.intercept.mount', 'false'],
    ['security.syscalls.whitelist', 'read'],
  ])('takes %s = %s', (key, value) => {
    expect(() => checkConfig({ [key]: value })).not.toThrow();
  });

  test.each([
    ['limits.cpu', '3-1', 'a set such as'],
    ['limits.cpu.allowance', '50', 'must be a share'],
    ['limits.cpu.allowance', '1ms/2000ms', 'a period of'],
    ['limits.memory', '12QB', 'must be a size'],
    ['limits.kernel.nofiles', '1', 'does not name a resource limit'],
    ['environment.A=B', 'x', 'does not name an environment variable'],
    ['linux.sysctl.a/../b', '1', 'does not name a sysctl'],
    ['limits.cpu.priority', '11', 'must be at most 10'],
    ['limits.memory', '0', 'must not be 0'],
    ['limits.memory.hugepages', 'true', 'is not a known key'],
    ['limits.hugepages.3MB', '1MiB', 'is not a known key'],
    ['migration.incremental.memory.goal', '-1', 'must be at least 0'],
    ['cluster.evacuate', 'x', 'must be one of'],
    ['security.idmap.size', '5000000000', 'must be at most'],
    ['security.secureboot', 'false', 'is not a known key'],
    ['raw.idmap', 'x', 'must hold lines such as'],
    ['security.syscalls.deny', 'mkdir; rm', 'must hold names of system calls'],
    ['security.syscalls.deny', 'mkdir notify', 'must hold names of system calls'],
    ['security.syscalls.intercept.mount.fuse', 'ext2', 'must hold pairs such as'],
    ['security.syscalls.intercept.bpf', 'true', 'bpf() is not intercepted here'],
    ['security.syscalls.intercept.mount', 'true', 'mount() is not intercepted here'],
    ['security.syscalls.intercept.sysinfo', 'true', 'is not a known key'],
    ['security.syscalls.foo', 'true', 'is not a known key'],
    ['raw.idmap', 'uid 1000-1005 2000', 'of different sizes'],
    ['raw.idmap', 'both 5 5\nuid 5 6', 'maps an id twice'],
    ['raw.lxc', 'lxc.log.file = /etc/x', 'must not set "lxc.log.file"'],
    ['raw.lxc', 'lxc.net.0.type = phys', 'use a NIC device'],
    ['raw.lxc', 'LXC.IDMAP = u 0 0 1', 'security.idmap'],
    ['user.x', 'a\0b', 'must not hold NUL'],
    ['unknown', 'x', 'is not a known key'],
  ])('refuses %s = %s', (key, value, reason) => {
    expect(() => checkConfig({ [key]: value })).toThrow(reason);
  });

  test('of images and the daemon are not for profiles', () => {
    expect(() => checkConfig({ 'image.os': 'x' }, 'profile')).toThrow('not for profiles');
    expect(() => checkConfig({ 'volatile.uuid': 'x' }, 'profile')).toThrow('not for profiles');
  });
});

test('later profiles win key by key and device by device, and the instance wins over them', () => {
  const one = { config: { a: '1', b: '1' }, devices: { root: { type: 'disk', path: '/', pool: 'p', size: '1GiB' } } };
  const two = { config: { b: '2', c: '2' }, devices: { root: { type: 'disk', path: '/', pool: 'q' } } };
  const all = expand([one, two], { config: { c: '3' }, devices: { eth0: { type: 'none' } } });
  expect(all.config).toEqual({ a: '1', b: '2', c: '3' });
  expect(rootDevice(all.devices)).toEqual(['root', { type: 'disk', path: '/', pool: 'q' }]);
});

describe('limits', () => {
  test('are bytes, shares of the host and times', () => {
    const config = { 'limits.memory': '50%', 'limits.memory.swap': 'false', 'limits.cpu.allowance': '25ms/100ms' };
    expect(resourceLimits(config, host)).toEqual({
      memory: { bytes: 500 * 2 ** 20, enforce: 'hard', swap: false },
      cpu: { quota: { timeUs: 25_000, periodUs: 100_000 } },
    });
    expect(resourceLimits({}, host)).toEqual({});
  });

  test('a number of CPUs becomes those that are used least', () => {
    const pinned = new Map([[0, 2], [1, 1]]); // prettier-ignore
    expect(resourceLimits({ 'limits.cpu': '2' }, host, pinned).cpu).toEqual({ cpus: '2-3' });
    expect(resourceLimits({ 'limits.cpu': '9' }, host).cpu).toBeUndefined();
    expect(resourceLimits({ 'limits.cpu': '1,7' }, host).cpu).toEqual({ cpus: '1' });
    expect(formatCpuSet([0, 1, 3])).toBe('0-1,3');
  });
});

test('every priority becomes a limit', () => {
  const config = {
    'limits.cpu.priority': '5',
    'limits.disk.priority': '2',
    'limits.hugepages.2MB': '4MiB',
    'limits.memory.swap.priority': '3',
    'limits.network.priority': '7',
  };
  expect(resourceLimits(config, host, new Map(), ['veth1'])).toEqual({
    memory: { enforce: 'hard', swap: true, swapPriority: 3 },
    cpu: { priority: 5 },
    disk: { priority: 2, throttles: [] },
    hugePages: { '2MB': 4 * 2 ** 20 },
    network: { priority: 7, links: ['veth1'] },
  });
});

test('the NVIDIA libraries need their tools, and a user namespace', () => {
  const config = { 'nvidia.runtime': 'true', 'nvidia.driver.capabilities': 'all' };
  expect(nvidiaProblem({})).toBeUndefined();
  expect(nvidiaProblem(config, () => true)).toBeUndefined();
  expect(nvidiaProblem(config, file => file.endsWith('nvidia'))).toContain('nvidia-container-cli');
  expect(nvidiaProblem({ ...config, 'security.privileged': 'true' }, () => true)).toContain('security.privileged');
  expect(nvidiaLines(config)).toContain('lxc.environment = NVIDIA_DRIVER_CAPABILITIES=all');
  expect(nvidiaLines({})).toEqual([]);
});

test('keys about system calls make one policy, and only the usual one when they say nothing', () => {
  expect(seccompPolicy({ 'security.syscalls.deny_default': 'yes' })).toBeUndefined();
  expect(seccompPolicy({ 'security.syscalls.deny': 'mkdir' })).toMatch(
    /^2\ndenylist\nreject_force_umount\n\[all\]\n[^]*\nmkdir\n$/,
  );
  expect(seccompPolicy({ 'security.syscalls.blacklist_default': '0' })).toBe('2\ndenylist\n[all]\n\n');
  expect(seccompPolicy({ 'security.syscalls.allow': 'read\nwrite' })).toBe('2\nallowlist\n[all]\nread\nwrite\n');
  expect(seccompPolicy({ 'raw.seccomp': '2\ndenylist\nmkdir\n' })).toBe('2\ndenylist\nmkdir\n');
  expect(syscallProblem({ 'raw.seccomp': 'x', 'security.syscalls.deny': 'y' })).toContain('security.syscalls.deny');
  expect(syscallProblem({ 'security.syscalls.allow': 'x', 'security.syscalls.deny_default': '1' })).toContain('allow');
  expect(syscallProblem({ 'security.syscalls.allow': 'x' })).toBeUndefined();
  const mounts = {
    'security.syscalls.intercept.mount.allowed': 'xfs,ext4',
    'security.syscalls.intercept.mount.fuse': 'ext4=fuse2fs',
  };
  expect(syscallProblem(mounts)).toContain('File system "ext4"');
  expect(syscallProblem({ ...mounts, 'security.syscalls.intercept.mount.allowed': 'xfs' })).toBeUndefined();
});

test('intercepted calls are passed on by the policy, whatever else it says', () => {
  const keys = {
    'security.syscalls.intercept.mknod': 'true',
    'security.syscalls.intercept.sched_setscheduler': '1',
    'security.syscalls.intercept.setxattr': 'false',
  };
  const lines = 'seccomp errno 22 [1,8,SCMP_CMP_MASKED_EQ,8]\nmknod notify [1,8192,SCMP_CMP_MASKED_EQ,61440]\n';
  expect(intercepts(keys)).toEqual(['mknod', 'sched_setscheduler']);
  expect(seccompPolicy(keys)).toContain(`delete_module errno 38\n${lines}`);
  expect(seccompPolicy(keys)).not.toContain('setxattr');
  expect(seccompPolicy({ ...keys, 'security.syscalls.deny': 'mkdir' })).toMatch(/sched_setscheduler notify\nmkdir\n$/);
  expect(seccompPolicy({ ...keys, 'security.syscalls.allow': 'read' })).toContain(`[all]\nread\n[all]\n${lines}`);
  expect(seccompPolicy({ ...keys, 'raw.seccomp': '2\ndenylist\n' })).toBe('2\ndenylist\n');
  expect(intercepts({ ...keys, 'security.privileged': 'true' })).toEqual([]);
  expect(seccompPolicy({ ...keys, 'security.privileged': 'true' })).toBeUndefined();
});

test('cloud-init runs again for other data and other links, and for nothing else', () => {
  const before = { config: { 'user.x': '1' }, devices: { eth0: { type: 'nic', name: 'eth0' } } };
  expect(changesCloudInit(before, { ...before, config: { 'user.x': '2', 'limits.cpu': '1' } })).toBe(false);
  expect(changesCloudInit(before, { ...before, config: { 'cloud-init.user-data': '#' } })).toBe(true);
  expect(changesCloudInit(before, { ...before, config: { 'user.network-config': 'v' } })).toBe(true);
  expect(changesCloudInit(before, { ...before, devices: { eth0: { type: 'nic', name: 'lan0' } } })).toBe(true);
});

test('volatile keys that users may set are checked, unknown ones refused', () => {
  expect(volatileProblem('volatile.eth0.hwaddr', '00:16:3e:00:00:01')).toBeUndefined();
  expect(volatileProblem('volatile.eth0.hwaddr', 'x')).toContain('must be an address');
  expect(volatileProblem('volatile.uuid', 'x')).toContain('must be a UUID');
  expect(volatileProblem('volatile.last_state.power', 'RUNNING')).toBeUndefined();
  expect(volatileProblem('volatile.foo', 'x')).toContain('is not a known key');
});

describe('id maps', () => {
  const range = { first: 100_000, size: 1_000_000 };

  test('raw.idmap lays ids of the host into the range, and is kept as LXD writes it', () => {
    const idmap = idmapOf({ 'raw.idmap': 'both 1000 1000\nuid 50-51 65535-65536' }, [], range);
    expect(idmapLines(idmap ?? { hostBase: 0, size: 0 }, 'uid')).toEqual([
      { nsId: 0, hostId: 100_000, size: 1000 },
      { nsId: 1000, hostId: 1000, size: 1 },
      { nsId: 1001, hostId: 101_001, size: 64_534 },
      { nsId: 65_535, hostId: 50, size: 2 },
    ]);
    const kept = idmapVolatile(idmap);
    expect(kept['volatile.idmap.next']).toContain('{"Isuid":true,"Isgid":true,"Hostid":1000,"Nsid":1000,"Maprange":1}');
    expect(idmapVolatile(keptIdmap(kept))).toEqual(kept);
    expect([0, 1000, 70_000].map(id => hostIdOf(idmap, 'gid', id))).toEqual([100_000, 1000, 65_534]);
  });

  test('all share one, isolated ones have their own, privileged ones none', () => {
    const shared = idmapOf({}, [], range);
    expect(shared).toEqual({ hostBase: 100_000, size: 65_536 });
    const isolated = idmapOf({ 'security.idmap.isolated': 'true' }, [], range);
    expect(isolated).toEqual({ hostBase: 165_536, size: 65_536 });
    const next = idmapOf({ 'security.idmap.isolated': 'true' }, isolated ? [isolated] : [], range);
    expect(next).toEqual({ hostBase: 231_072, size: 65_536 });
    expect(idmapOf({ 'security.privileged': 'true' }, [], range)).toBeUndefined();
    expect(keptIdmap(idmapVolatile(next))).toEqual(next);
  });

  test('a range that overlaps or does not fit is refused', () => {
    const others = [{ hostBase: 165_536, size: 65_536 }];
    const fixed = { 'security.idmap.isolated': 'true', 'security.idmap.base': '200000' };
    expect(() => idmapOf(fixed, others, range)).toThrow('overlaps');
    expect(() => idmapOf({ ...fixed, 'security.idmap.base': '5' }, [], range)).toThrow('must lie from');
    expect(() => idmapOf({ 'security.idmap.isolated': 'true', 'security.idmap.size': '2000000' }, [], range)).toThrow(
      'no host ids left',
    );
  });

  test('the range comes from the entry of root', () => {
    expect(parseSubordinateIds('a:1:70000\nroot:100000:70000\n')).toEqual({ first: 100_000, size: 70_000 });
    expect(parseSubordinateIds('root:1:10')).toBeUndefined();
  });
});

test('status joins what the kernel and the lock know', () => {
  expect(statusOf(true, undefined, 'running')).toBe('Running');
  expect(statusOf(true, 'stop', 'running')).toBe('Stopping');
  expect(statusOf(true, 'start', 'stopped')).toBe('Starting');
  expect(statusOf(true, undefined, 'frozen')).toBe('Frozen');
  expect(statusOf(false, 'create', 'stopped')).toBe('Stopped');
  expect(statusOf(false, undefined, 'stopped')).toBe('Error');
  expect(() => assertAllowed('c1', true, 'frozen', 'start')).toThrow('it is frozen; unfreeze it instead');
  expect(() => assertAllowed('c1', true, 'stopped', 'stop')).toThrow('it is already stopped');
  expect(() => assertAllowed('c1', true, 'stopped', 'freeze')).toThrow('it is stopped');
  expect(() => assertAllowed('c1', false, 'stopped', 'start')).toThrow('delete it');
});

test('filters join clauses over members and config keys', () => {
  const object = { name: 'c1', status: 'Running', config: { 'image.os': 'Debian' } };
  const matches = (text: string): boolean => parseFilter(text)(object);
  expect(matches('')).toBe(true);
  expect(matches('status eq running and config.image.os eq "Debian"')).toBe(true);
  expect(matches('name ne c1 or not status eq Stopped')).toBe(true);
  expect(matches('__proto__.x eq y')).toBe(false);
  expect(() => parseFilter('name')).toThrow('Invalid "filter"');
  expect(() => parseFilter('a eq b xor c eq d')).toThrow('neither "and" nor "or"');
});

test('snapshots are named by the pattern and expire by age', () => {
  expect(expiryTime('1d 2H', new Date('2026-01-31T00:00:00Z'))).toBe('2026-02-01T02:00:00.000Z');
  expect(isExpired('0001-01-01T00:00:00Z', new Date())).toBe(false);
});
