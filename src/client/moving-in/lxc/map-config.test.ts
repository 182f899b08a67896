import { describe, expect, test } from 'vitest';
import { type MapContext, type MappedContainer, mapLxcConfig } from './map-config.ts';
import { readLxcConfig } from './read-config.ts';

const context: MapContext = {
  networks: [
    { name: 'lxdbr0', type: 'bridge', managed: true, config: { 'ipv4.address': '10.0.3.1/24' } },
    { name: 'lxcbr0', type: 'bridge', managed: false, config: {} },
  ],
  network: undefined,
  sameHost: true,
  kindOf: path =>
    ({ '/srv/data': 'folder', '/etc/one': 'file', '/dev/sdb1': 'block', '/dev/ttyS0': 'char', '/dev/fuse': 'char' })[
      path
    ] as 'folder' | undefined,
  fstab: file => (file === '/c/fstab' ? ['/srv/data srv none bind 0 0', 'proc proc proc defaults 0 0'] : undefined),
};

const shifted = 'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536';

function map(text: string, change: Partial<MapContext> = {}): MappedContainer {
  const files = { read: () => text, list: () => undefined };
  return mapLxcConfig(readLxcConfig('/c/config', files), { ...context, ...change });
}

function dropped(mapped: MappedContainer): Readonly<Record<string, string>> {
  return Object.fromEntries(mapped.lines.filter(line => !line.taken).map(({ line, outcome }) => [line, outcome]));
}

test('every line is accounted for, in the order of the file', () => {
  const lines = [
    'lxc.hook.start = /bin/x',
    'lxc.uts.name = c',
    'lxc.net.0.type = veth',
    'lxc.net.0.link = lxcbr0',
    'lxc.unheard.of = 1',
    'lxc.cgroup2.memory.max = 1G',
  ];
  expect(map(lines.join('\n')).lines.map(({ line }) => line)).toEqual(lines);
});

test.each([
  ['lxc.cgroup.memory.limit_in_bytes = 512M', { 'limits.memory': '512MiB' }],
  ['lxc.cgroup2.memory.max = 1073741824', { 'limits.memory': '1073741824' }],
  ['lxc.cgroup2.memory.max = max', {}],
  ['lxc.cgroup2.memory.swap.max = 0', { 'limits.memory.swap': 'false' }],
  ['lxc.cgroup.cpuset.cpus = 0-1, 3', { 'limits.cpu': '0-1,3' }],
  ['lxc.cgroup.cpuset.cpus = 2', { 'limits.cpu': '2-2' }],
  [
    'lxc.cgroup.cpu.cfs_period_us = 50000\nlxc.cgroup.cpu.cfs_quota_us = 25000',
    { 'limits.cpu.allowance': '25ms/50ms' },
  ],
  ['lxc.cgroup.cpu.cfs_quota_us = -1', {}],
  ['lxc.cgroup2.cpu.max = 200000 100000', { 'limits.cpu.allowance': '200ms/100ms' }],
  ['lxc.cgroup2.cpu.max = max', {}],
  ['lxc.cgroup.pids.max = 300', { 'limits.processes': '300' }],
  ['lxc.prlimit.nofile = 1024 : 4096', { 'limits.kernel.nofile': '1024:4096' }],
  ['lxc.sysctl.net.ipv4.ip_forward = 1', { 'linux.sysctl.net.ipv4.ip_forward': '1' }],
  ['lxc.environment = A=b=c', { 'environment.A': 'b=c' }],
  ['lxc.environment = HOME', {}],
  [
    'lxc.start.auto = 1\nlxc.start.order = 5\nlxc.start.delay = 3',
    { 'boot.autostart': 'true', 'boot.autostart.priority': '-5', 'boot.autostart.delay': '3' },
  ],
  ['lxc.start.order = 0', { 'boot.autostart.priority': '0' }],
  ['lxc.include = /usr/share/lxc/config/nesting.conf', { 'security.nesting': 'true' }],
  ['lxc.apparmor.allow_nesting = 1', { 'security.nesting': 'true' }],
  [
    'lxc.haltsignal = SIGRTMIN+3\nlxc.init.cmd = /lib/systemd/systemd',
    { 'raw.lxc': 'lxc.signal.halt = SIGRTMIN+3\nlxc.init.cmd = /lib/systemd/systemd' },
  ],
  ['lxc.aa_profile = unconfined\nlxc.cap.drop = sys_admin\nlxc.seccomp = /x', {}],
] as const)('%s', (text, config) => {
  expect(map(text).config).toEqual(config);
});

describe('networks', () => {
  test('a bridge that the server manages is a network, another a parent', () => {
    const old =
      'lxc.network.type = veth\nlxc.network.link = lxdbr0\nlxc.network.hwaddr = 00:16:3E:AA:BB:CC\nlxc.network.ipv4 = 10.0.3.9/24\nlxc.network.type = veth\nlxc.network.link = lxcbr0\nlxc.network.hwaddr = 00:16:3e:xx:xx:xx\nlxc.network.mtu = 1400';
    expect(map(old).devices).toEqual({
      eth0: { type: 'nic', network: 'lxdbr0', name: 'eth0', hwaddr: '00:16:3e:aa:bb:cc', 'ipv4.address': '10.0.3.9' },
      eth1: { type: 'nic', nictype: 'bridged', parent: 'lxcbr0', name: 'eth1', mtu: '1400' },
    });
  });

  test('addresses that the network would not hand out are dropped', () => {
    for (const address of ['10.0.4.9/24', '10.0.3.1/24', 'nonsense']) {
      const mapped = map(`lxc.net.0.type = veth\nlxc.net.0.link = lxdbr0\nlxc.net.0.ipv4.address = ${address}`);
      expect(mapped.devices['eth0']).not.toHaveProperty('ipv4.address');
      expect(dropped(mapped)).toHaveProperty([`lxc.net.0.ipv4.address = ${address}`]);
    }
  });

  test('a bridge that the server has not stands in the way, unless another takes its place', () => {
    const text = 'lxc.net.0.type = veth\nlxc.net.0.link = br9\nlxc.net.0.name = lan';
    expect(map(text).obstacles).toEqual([expect.stringContaining('no network "br9": choose one with "--network"')]);
    const mapped = map(text, { network: 'lxdbr0' });
    expect([mapped.obstacles, mapped.devices]).toEqual([[], { lan: { type: 'nic', network: 'lxdbr0', name: 'lan' } }]);
  });

  test.each([
    ['macvlan', { type: 'nic', nictype: 'macvlan', parent: 'eno1', name: 'eth2' }],
    ['phys', { type: 'nic', nictype: 'physical', parent: 'eno1', name: 'eth2' }],
    ['vlan', { type: 'nic', nictype: 'physical', parent: 'eno1', vlan: '7', name: 'eth2' }],
    ['none', undefined],
    ['empty', undefined],
    ['__proto__', undefined],
  ])('of type %s', (type, device) => {
    const text = `lxc.net.2.type = ${type}\nlxc.net.2.link = eno1\nlxc.net.2.vlan.id = 7\nlxc.net.2.script.up = /bin/x`;
    expect(map(text).devices).toEqual(device ? { eth2: device } : {});
  });
});

describe('mounts', () => {
  const entry = (line: string, idmap = shifted): MappedContainer => map(`${idmap}\nlxc.mount.entry = ${line}`);

  test.each([
    [
      '/srv/data srv/my\\040data none bind,ro,create=dir 0 0',
      { 'srv-my-data': { type: 'disk', source: '/srv/data', path: '/srv/my data', readonly: 'true' } },
    ],
    [
      '/srv/data /usr/lib/x86_64-linux-gnu/lxc/rootfs/mnt none rbind,optional',
      { mnt: { type: 'disk', source: '/srv/data', path: '/mnt', recursive: 'true', required: 'false' } },
    ],
    ['/dev/sdb1 data ext4 defaults 0 0', { data: { type: 'disk', source: '/dev/sdb1', path: '/data' } }],
    [
      '/dev/ttyS0 dev/ttyS0 none bind,create=file',
      { 'dev-ttyS0': { type: 'unix-char', source: '/dev/ttyS0', path: '/dev/ttyS0' } },
    ],
    ['/dev/fuse dev/fuse none bind', {}],
    ['tmpfs tmp tmpfs defaults', {}],
    ['/sys/fs/fuse sys/fs/fuse none bind', {}],
    ['/gone x none bind', {}],
    ['/srv/data ../../etc none bind', {}],
    ['/srv/../etc x none bind', {}],
    ['/srv/data / none bind', {}],
    ['/srv/data a\\012b none bind', {}],
    ['relative x none bind', {}],
    ['', {}],
  ])('%s', (line, devices) => {
    expect(entry(line).devices).toEqual(devices);
  });

  test('of a container whose root was the host’s keep their owners', () => {
    expect(entry('/srv/data data none bind', '').devices['data']).toMatchObject({ shift: 'true' });
  });

  test('come from a file too, and do not get in each other’s way', () => {
    const mapped = map('lxc.mount = /c/fstab\nlxc.mount.entry = /etc/one srv none bind\nlxc.mount.fstab = /gone');
    expect(Object.keys(mapped.devices)).toEqual(['srv', 'srv-2']);
    expect(dropped(mapped)).toHaveProperty(['lxc.mount.fstab = /gone']);
  });

  test('of this machine mean nothing to another', () => {
    const mapped = map('lxc.mount.entry = /srv/data data none bind', { sameHost: false });
    expect(mapped.devices).toEqual({});
  });
});

describe('ids', () => {
  test.each([
    ['', []],
    ['lxc.idmap = b 0 0 4294967295', []],
    [shifted, [100_000, 100_000]],
    ['lxc.id_map = b 0 231072 65536', [231_072]],
  ])('%s', (text, bases) => {
    const { idmap, obstacles } = map(text);
    expect([idmap.map(({ hostId }) => hostId), obstacles]).toEqual([bases, []]);
  });

  test.each([
    `${shifted}\nlxc.idmap = u 65536 1000 1`,
    'lxc.idmap = u 0 100000 65536',
    'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 200000 65536',
    'lxc.idmap = u 1 100000 65536\nlxc.idmap = g 1 100000 65536',
    'lxc.idmap = x',
    'lxc.idmap = u 0 99999999999999 1',
  ])('%s is refused', text => {
    expect(map(text).obstacles).toHaveLength(1);
  });
});
