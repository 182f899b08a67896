import { describe, expect, test } from 'vitest';
import { renderConfig, type ConfigContext } from './lxc-config.ts';
import type { ContainerNic, ContainerSpec } from './runtime.ts';

const context: ConfigContext = {
  brand: 'lxd-like',
  logFile: '/state/logs/web/lxc.log',
  consoleFile: '/state/logs/web/console.log',
  apparmorProfile: 'unconfined',
  seccompPolicy: '/state/security/seccomp/containers',
  postStopHook: ['/opt/my programs/ctr-ns', 'hook', '/state/run/web'],
  unifiedCgroups: false,
  limits: [
    { controller: 'memory', version: 1, file: 'memory.limit_in_bytes', value: '1073741824' },
    { controller: 'cpu', version: 2, file: 'cpu.max', value: '25000 100000' },
  ],
  exists: path => path === '/dev/fuse',
};
const spec: ContainerSpec = {
  id: 'web',
  hostName: 'web',
  architecture: 'x86_64',
  rootfs: '/pool/containers/web/rootfs',
  idmap: { hostBase: 1_000_000, size: 65_536 },
  mounts: [
    {
      source: '/srv/my files',
      target: '/mnt/files',
      kind: 'directory',
      idmapped: true,
      readOnly: true,
      recursive: true,
    },
    { source: '/state/hosts', target: '/etc/hosts', kind: 'file', optional: true },
    {
      source: '/n',
      target: '/dev/d',
      kind: 'file',
      device: { kind: 'block', major: 7, minor: 1 },
      options: ['noexec'],
    },
  ],
  nics: [
    { kind: 'veth', hostName: 'veth1', bridge: 'br0', name: 'eth0', hardwareAddress: '00:16:3e:00:00:01', mtu: 1400 },
    { kind: 'veth', hostName: 'veth2', name: 'eth1', hardwareAddress: '00:16:3e:00:00:02' },
  ],
  environment: { LANG: 'C.UTF-8' },
  limits: {},
  nesting: true,
  rawConfig: 'lxc.init.cwd = /\n\n',
};

describe('renderConfig()', () => {
  test('renders an unprivileged container whole', () => {
    expect(renderConfig(spec, context)).toBe(`lxc.log.file = /state/logs/web/lxc.log
lxc.log.level = warn
lxc.console.buffer.size = auto
lxc.console.size = auto
lxc.console.rotate = 1
lxc.console.logfile = /state/logs/web/console.log
lxc.mount.auto = proc:rw sys:rw cgroup:mixed
lxc.autodev = 1
lxc.pty.max = 1024
lxc.tty.max = 0
lxc.uts.name = web
lxc.arch = x86_64
lxc.apparmor.profile = unconfined
lxc.seccomp.profile = /state/security/seccomp/containers
lxc.idmap = u 0 1000000 65536
lxc.idmap = g 0 1000000 65536
lxc.cgroup.dir.monitor = lxd-like.monitor.web
lxc.cgroup.dir.container = lxd-like.payload.web
lxc.cgroup.dir.monitor.pivot = lxd-like.pivot
lxc.cgroup.memory.limit_in_bytes = 1073741824
lxc.cgroup2.cpu.max = 25000 100000
lxc.cgroup.devices.deny = a
lxc.cgroup.devices.allow = b *:* m
lxc.cgroup.devices.allow = c *:* m
lxc.cgroup.devices.allow = c 1:3 rwm
lxc.cgroup.devices.allow = c 1:5 rwm
lxc.cgroup.devices.allow = c 1:7 rwm
lxc.cgroup.devices.allow = c 1:8 rwm
lxc.cgroup.devices.allow = c 1:9 rwm
lxc.cgroup.devices.allow = c 5:0 rwm
lxc.cgroup.devices.allow = c 5:1 rwm
lxc.cgroup.devices.allow = c 5:2 rwm
lxc.cgroup.devices.allow = c 136:* rwm
lxc.cgroup.devices.allow = c 10:200 rwm
lxc.cgroup.devices.allow = c 10:229 rwm
lxc.cgroup.devices.allow = b 7:1 rwm
lxc.hook.version = 1
lxc.hook.post-stop = '/opt/my programs/ctr-ns' hook /state/run/web
lxc.rootfs.path = dir:/pool/containers/web/rootfs
lxc.rootfs.options = idmap=container
lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0
lxc.mount.entry = proc dev/.lxc/proc proc create=dir,optional 0 0
lxc.mount.entry = sys dev/.lxc/sys sysfs create=dir,optional 0 0
lxc.mount.entry = /srv/my\\040files mnt/files none rbind,create=dir,ro,idmap=container 0 0
lxc.mount.entry = /state/hosts etc/hosts none bind,create=file,optional 0 0
lxc.mount.entry = /n dev/d none bind,create=file,noexec 0 0
lxc.environment = LANG=C.UTF-8
lxc.net.0.type = veth
lxc.net.0.link = br0
lxc.net.0.veth.pair = veth1
lxc.net.0.name = eth0
lxc.net.0.hwaddr = 00:16:3e:00:00:01
lxc.net.0.mtu = 1400
lxc.net.0.flags = up
lxc.net.1.type = veth
lxc.net.1.veth.pair = veth2
lxc.net.1.name = eth1
lxc.net.1.hwaddr = 00:16:3e:00:00:02
lxc.net.1.flags = up
lxc.init.cwd = /
`);
  });
  test('a privileged container keeps no id map and loses capabilities', () => {
    const config = renderConfig({ ...spec, idmap: undefined, nics: [] }, context);
    expect(config).not.toMatch(/idmap/);
    expect(config).toMatch(/^lxc\.cap\.drop = sys_time sys_module sys_rawio mac_admin mac_override$/m);
    expect(config).toMatch(/^lxc\.mount\.auto = proc:mixed sys:mixed cgroup:mixed$/m);
    expect(config).toMatch(/^lxc\.net\.0\.type = empty$/m);
  });
  test('in cgroup v2 only a container without an id map has rules for devices', () => {
    const unified = { ...context, unifiedCgroups: true };
    expect(renderConfig(spec, unified)).not.toMatch(/devices/);
    const privileged = renderConfig({ ...spec, idmap: undefined }, unified);
    expect(privileged).toMatch(/^lxc\.cgroup2\.devices\.deny = a\nlxc\.cgroup2\.devices\.allow = b \*:\* m$/m);
  });
  test('names who decides about intercepted calls, and keeps the host’s console from being opened', () => {
    const intercepts = ['mknod'] as const;
    const config = renderConfig({ ...spec, intercepts }, { ...context, interceptor: '/run/lxd-like/intercept.1' });
    expect(config).toMatch(/^lxc\.seccomp\.notify\.proxy = unix:\/run\/lxd-like\/intercept\.1$/m);
    expect(config).toMatch(/devices\.allow = c 5:0 rwm/);
    expect(config).not.toMatch(/devices\.allow = c 5:1/);
    const unified = renderConfig({ ...spec, intercepts }, { ...context, unifiedCgroups: true });
    expect(unified.match(/^.*devices.*$/gm)).toEqual([
      'lxc.cgroup2.devices.allow = a',
      'lxc.cgroup2.devices.deny = c 5:1 rwm',
    ]);
  });
  test('tells the kinds of NICs', () => {
    const nics: ContainerNic[] = [
      { kind: 'macvlan', hostName: 'mac1', name: 'eth0', parent: 'en0', hardwareAddress: '00:16:3e:00:00:01' },
      { kind: 'physical', hostName: 'en1', name: 'eth1', mtu: 1300 },
      {
        kind: 'veth',
        hostName: 'veth1',
        name: 'eth2',
        addresses: ['192.0.2.9/32', '2001:db8::9/128'],
        gateways: ['169.254.0.1', 'fe80::1'],
      },
    ];
    const lines = renderConfig({ ...spec, nics }, context).split('\n');
    expect(lines.filter(line => line.startsWith('lxc.net.'))).toEqual([
      'lxc.net.0.type = macvlan',
      'lxc.net.0.link = en0',
      'lxc.net.0.macvlan.mode = bridge',
      'lxc.net.0.name = eth0',
      'lxc.net.0.hwaddr = 00:16:3e:00:00:01',
      'lxc.net.0.flags = up',
      'lxc.net.1.type = phys',
      'lxc.net.1.link = en1',
      'lxc.net.1.name = eth1',
      'lxc.net.1.mtu = 1300',
      'lxc.net.1.flags = up',
      'lxc.net.2.type = veth',
      'lxc.net.2.veth.pair = veth1',
      'lxc.net.2.name = eth2',
      'lxc.net.2.ipv4.address = 192.0.2.9/32',
      'lxc.net.2.ipv6.address = 2001:db8::9/128',
      'lxc.net.2.ipv4.gateway = 169.254.0.1',
      'lxc.net.2.ipv6.gateway = fe80::1',
      'lxc.net.2.flags = up',
    ]);
  });
  test.each([
    ['a host name', { hostName: 'web\nlxc.idmap = u 0 0 1' }],
    ['an environment variable', { environment: { A: '1\rlxc.include = /x' } }],
    ['a mount', { mounts: [{ source: '/a\n/b', target: '/c', kind: 'file' as const }] }],
    ['a NIC', { nics: [{ kind: 'veth' as const, hostName: 'v', name: 'e\n', hardwareAddress: 'x' }] }],
    ['raw lines', { rawConfig: 'lxc.init.cwd = \u0000' }],
  ])('refuses a control character in %s', (_what, change) => {
    expect(() => renderConfig({ ...spec, ...change }, context)).toThrow('control character');
  });
});
