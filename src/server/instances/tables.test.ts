import { describe, expect, test } from 'vitest';
import { checkConfig, parseExpiry } from './config-keys.ts';
import { expand, rootDevice } from './expand-config.ts';
import { parseFilter } from './filter.ts';
import { idmapOf, idmapVolatile, keptIdmap, parseSubordinateIds } from './idmap.ts';
import { formatCpuSet, resourceLimits } from './limits.ts';
import { expiryTime, isExpired } from './snapshot-expiry.ts';
import { nextName } from './snapshots.ts';
import { assertAllowed, statusOf } from './status.ts';

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
  ])('takes %s = %s', (key, value) => {
    expect(() => checkConfig({ [key]: value })).not.toThrow();
  });

  test.each([
    ['limits.cpu', '0', 'must be at least 1'],
    ['limits.cpu', '3-1', 'a set such as'],
    ['limits.cpu.allowance', '101%', 'from 1% to 100%'],
    ['limits.cpu.allowance', '1ms/2000ms', 'a period of'],
    ['limits.memory', '12QB', 'must be a size'],
    ['limits.kernel.nofiles', '1', 'does not name a resource limit'],
    ['environment.A=B', 'x', 'does not name an environment variable'],
    ['linux.sysctl.a/../b', '1', 'does not name a sysctl'],
    ['limits.cpu.priority', '5', 'is not supported yet'],
    ['nvidia.driver.capabilities', 'all', 'is not supported yet'],
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

describe('id maps', () => {
  const range = { first: 100_000, size: 1_000_000 };

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
  expect(nextName('snap%d', ['snap0', 'snap7', 'other'])).toBe('snap8');
  expect(nextName('daily', ['daily'])).toBe('daily-0');
  expect(expiryTime('1d 2H', new Date('2026-01-31T00:00:00Z'))).toBe('2026-02-01T02:00:00.000Z');
  expect(isExpired('0001-01-01T00:00:00Z', new Date())).toBe(false);
  expect(parseExpiry('1d 2d')).toBeUndefined();
});
