import { describe, expect, test } from 'vitest';
import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { checkLimits, checkLoweredLimits } from './limits.ts';
import type { ProjectContent } from './project-content.ts';
import { checkRestrictions } from './restrictions.ts';
import { projectState } from './usage.ts';

const root = { root: { type: 'disk', path: '/', pool: 'default', size: '1GiB' } };

function content(config: ConfigMap, instance: { config?: ConfigMap; devices?: DevicesMap } = {}): ProjectContent {
  return {
    project: { id: 2, name: 'p1', description: '', config },
    instances: [{ name: 'c1', config: instance.config ?? {}, devices: { ...root, ...instance.devices } }],
    profiles: [],
    volumes: [],
    networks: 0,
  };
}

const restricted = (keys: ConfigMap = {}): ConfigMap => ({ restricted: 'true', 'features.profiles': 'true', ...keys });

describe('config in a restricted project', () => {
  const intercept = 'security.syscalls.intercept';
  test.each<[ConfigMap, ConfigMap, string]>([
    [{ 'security.nesting': 'true' }, { 'restricted.containers.nesting': 'allow' }, 'Container nesting is forbidden'],
    [{ 'security.privileged': '1' }, { 'restricted.containers.privilege': 'allow' }, 'Privileged containers are'],
    [{ 'raw.lxc': 'x' }, { 'restricted.containers.lowlevel': 'allow' }, 'low-level config "raw.lxc"'],
    [{ 'raw.apparmor': 'x' }, { 'restricted.containers.lowlevel': 'allow' }, 'low-level config "raw.apparmor"'],
    [{ 'raw.unheard-of': 'x' }, { 'restricted.containers.lowlevel': 'allow' }, 'low-level config "raw.unheard-of"'],
    [{ 'linux.kernel_modules': 'x' }, { 'restricted.containers.lowlevel': 'allow' }, 'linux.kernel_modules'],
    [{ 'security.idmap.base': '1' }, { 'restricted.containers.lowlevel': 'allow' }, 'security.idmap.base'],
    [
      { [`${intercept}.mknod`]: 'true' },
      { 'restricted.containers.interception': 'allow' },
      'interception is forbidden',
    ],
    [{ [`${intercept}.sysinfo`]: 'true' }, { 'restricted.containers.lowlevel': 'allow' }, 'intercept.sysinfo'],
    [{ 'raw.idmap': 'both 1000 1000' }, { 'restricted.containers.lowlevel': 'allow' }, '"raw.idmap" element 0'],
    [{ 'raw.idmap': 'uid 0 0' }, { 'restricted.idmap.uid': '0,5-9' }, '"raw.idmap" element 0'],
    [{ 'raw.idmap': 'both 7-8 0-1' }, { 'restricted.idmap.uid': '5-9', 'restricted.idmap.gid': '7-8' }, 'element 0'],
  ])('%j needs %j', (config, permission, message) => {
    expect(() => checkRestrictions(content(restricted(), { config }))).toThrow(message);
    expect(() => checkRestrictions(content(restricted(permission), { config }))).not.toThrow();
    expect(() => checkRestrictions(content({ ...restricted(), restricted: 'false' }, { config }))).not.toThrow();
  });

  test.each<ConfigMap>([
    { 'security.nesting': 'false' },
    { 'limits.kernel.nofile': '3' },
    { 'security.syscalls.deny': 'x' },
    { 'user.x': 'y' },
    { 'boot.autostart': 'true' },
  ])('%j is free', config => {
    expect(() => checkRestrictions(content(restricted(), { config }))).not.toThrow();
  });

  test('ids outside of the ranges need the low-level permission', () => {
    const keys = restricted({ 'restricted.idmap.uid': '1000' });
    const raw = (line: string): ProjectContent => content(keys, { config: { 'raw.idmap': `uid 1000 5\n${line}` } });
    expect(() => checkRestrictions(raw('uid 1000-1001 7'))).toThrow('element 1');
    expect(() => checkRestrictions(raw('gid 1000 7'))).toThrow('element 1');
    expect(() => checkRestrictions(raw('both 1000 7'))).toThrow('element 1');
  });

  test('"isolated" is not met by saying nothing', () => {
    const keys = restricted({ 'restricted.containers.privilege': 'isolated' });
    expect(() => checkRestrictions(content(keys))).toThrow('Non-isolated containers are forbidden');
    const isolated = { config: { 'security.idmap.isolated': 'true' } };
    expect(() => checkRestrictions(content(keys, isolated))).not.toThrow();
    const profile = { id: 1, project: 'p1', name: 'x', description: '', config: {}, devices: {} };
    expect(() => checkRestrictions({ ...content(keys, isolated), profiles: [profile] })).not.toThrow();
  });
});

describe('devices in a restricted project', () => {
  test.each<[DevicesMap[string], ConfigMap, string]>([
    [{ type: 'unix-char', path: '/dev/null' }, { 'restricted.devices.unix-char': 'allow' }, 'Unix character devices'],
    [{ type: 'unix-block' }, { 'restricted.devices.unix-block': 'allow' }, 'Unix block devices are forbidden'],
    [{ type: 'gpu' }, { 'restricted.devices.gpu': 'allow' }, 'GPU devices are forbidden'],
    [{ type: 'usb' }, { 'restricted.devices.usb': 'allow' }, 'USB devices are forbidden'],
    [{ type: 'proxy' }, { 'restricted.devices.proxy': 'allow' }, 'Proxy devices are forbidden'],
    [{ type: 'disk', path: '/x', source: '/etc' }, { 'restricted.devices.disk': 'allow' }, 'not backed by a pool'],
    [{ type: 'nic', nictype: 'p2p' }, { 'restricted.devices.nic': 'allow' }, 'Only managed network devices'],
    [{ type: 'nic', nictype: 'bridged', parent: 'br0' }, { 'restricted.devices.nic': 'allow' }, 'Only managed'],
  ])('%j needs %j', (device, permission, message) => {
    expect(() => checkRestrictions(content(restricted(), { devices: { d: device } }))).toThrow(message);
    expect(() => checkRestrictions(content(restricted(permission), { devices: { d: device } }))).not.toThrow();
  });

  test('a type that nobody thought of is forbidden', () => {
    expect(() => checkRestrictions(content(restricted(), { devices: { d: { type: 'new' } } }))).toThrow('forbidden');
  });

  test('disks of the host come from the listed folders only', () => {
    const keys = restricted({ 'restricted.devices.disk': 'allow', 'restricted.devices.disk.paths': '/srv/a, /srv/b' });
    const from = (source: string): ProjectContent =>
      content(keys, { devices: { d: { type: 'disk', path: '/x', source } } });
    for (const good of ['/srv/a', '/srv/b/c', '/srv/b/../a']) expect(() => checkRestrictions(from(good))).not.toThrow();
    for (const bad of ['/srv', '/srv/ab', '/srv/a/../c', '/', '/srv/a/../../etc'])
      expect(() => checkRestrictions(from(bad))).toThrow(`Disk source path "${bad}" not allowed`);
  });

  test('blocked disks leave the root disk', () => {
    const keys = restricted({ 'restricted.devices.disk': 'block' });
    expect(() => checkRestrictions(content(keys))).not.toThrow();
    const volume = { d: { type: 'disk', path: '/x', pool: 'default', source: 'v1' } };
    expect(() => checkRestrictions(content(keys, { devices: volume }))).toThrow('Disk devices are forbidden');
  });

  test('networks are those of the list', () => {
    const keys = restricted({ 'restricted.networks.access': 'a,b' });
    const nic = (network: string): ProjectContent => content(keys, { devices: { d: { type: 'nic', network } } });
    expect(() => checkRestrictions(nic('b'))).not.toThrow();
    expect(() => checkRestrictions(nic('c'))).toThrow('Network not allowed in project');
  });
});

describe('limits', () => {
  test.each<[ConfigMap, ConfigMap, string]>([
    [{ 'limits.instances': '0' }, {}, 'Reached maximum number of instances in project "p1"'],
    [{ 'limits.containers': '0' }, {}, 'Reached maximum number of instances of type "container" in project "p1"'],
    [{ 'limits.memory': '1GiB' }, {}, 'Instance "c1" in project "p1" has no "limits.memory" config'],
    [
      { 'limits.memory': '1GiB' },
      { 'limits.memory': '2GiB' },
      'Reached maximum aggregate value "1GiB" for "limits.memory"',
    ],
    [{ 'limits.memory': '1GiB' }, { 'limits.memory': '10%' }, 'Failed parsing "limits.memory" for instance "c1"'],
    [{ 'limits.cpu': '2' }, { 'limits.cpu': '0-3' }, 'Failed parsing "limits.cpu" for instance "c1"'],
    [{ 'limits.cpu': '2' }, { 'limits.cpu': '3' }, 'Reached maximum aggregate value "2" for "limits.cpu"'],
    [{ 'limits.disk': '512MiB' }, {}, 'Reached maximum aggregate value "512MiB" for "limits.disk"'],
  ])('%j is too little for %j', (config, instance, message) => {
    expect(() => checkLimits(content(config, { config: instance }))).toThrow(message);
  });

  test('count volumes with root disks', () => {
    const volumes = [{ name: 'v1', config: { size: '1GiB' } }];
    expect(() => checkLimits({ ...content({ 'limits.disk': '2GiB' }), volumes })).not.toThrow();
    expect(() => checkLimits({ ...content({ 'limits.disk': '1500MiB' }), volumes })).toThrow('limits.disk');
    const unlimited = [{ name: 'v1', config: {} }];
    expect(() => checkLimits({ ...content({ 'limits.disk': '9GiB' }), volumes: unlimited })).toThrow(
      'Custom volume "v1" in project "p1" has no "size" config set',
    );
  });

  test('say what there is when they are lowered', () => {
    const config = { 'limits.memory': '2GiB', 'limits.cpu': '2' };
    const lowered = (key: string, value: string): ProjectContent => content({ [key]: value }, { config });
    expect(() => checkLoweredLimits(lowered('limits.memory', '1GiB'))).toThrow(
      '"limits.memory" is too low: current total is "2.0GiB"',
    );
    expect(() => checkLoweredLimits(lowered('limits.cpu', '1'))).toThrow(
      '"limits.cpu" is too low: current total is "2"',
    );
    expect(() => checkLoweredLimits(lowered('limits.instances', '0'))).toThrow('there currently are 1 total instances');
    expect(() => checkLoweredLimits(lowered('limits.memory', '2GiB'))).not.toThrow();
  });

  test('are shown with what is in use', () => {
    const { resources } = projectState(content({ 'limits.memory': '3GiB' }, { config: { 'limits.memory': '2GiB' } }));
    expect(resources['memory']).toEqual({ Limit: 3 * 2 ** 30, Usage: 2 * 2 ** 30 });
    expect(resources['disk']).toEqual({ Limit: -1, Usage: 2 ** 30 });
    expect(resources['cpu']).toEqual({ Limit: -1, Usage: 0 });
    expect(Object.keys(resources)).toEqual([
      'containers',
      'cpu',
      'disk',
      'instances',
      'memory',
      'networks',
      'processes',
      'virtual-machines',
    ]);
  });
});
