import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import { Guest } from '#network/testing/guest.ts';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const uplink = `u${daemon.tag}`;
const uplinkAddress = '02:00:00:00:00:11';
/** another host on the uplink's network */
let other: Guest;

function run(program: string, ...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const lxc = daemon.mustLxc.bind(daemon);

async function refused(...words: readonly string[]): Promise<string> {
  const { status, stderr } = await daemon.lxc(words);
  expect(status).not.toBe(0);
  return stderr;
}

const volatile = async (key: string): Promise<string> => (await lxc('config', 'get', 'c1', `volatile.${key}`)).trim();
const links = async (): Promise<string> => await daemon.must('exec', 'c1', '--', 'ip', 'addr');
const inGuest = async (...words: readonly string[]): Promise<string> => await daemon.must('exec', 'c1', '--', ...words);

async function uplinkFaults(): Promise<string> {
  await settled(() => kernel.links().some(({ name }) => name === uplink));
  const link = kernel.links().find(({ name }) => name === uplink);
  return link ? `${link.hardwareAddress} ${String(link.mtu)}` : 'gone';
}

/** Names of links that limit what comes in, where the kernel has no police action; some hosts have two of their own. */
const shapers = (): readonly string[] => kernel.links().flatMap(({ kind, name }) => (kind === 'ifb' ? [name] : []));
const shapersBefore = shapers();
const forwarding = 'net.ipv6.conf.all.forwarding';
const forwardingBefore = run('sysctl', '-n', forwarding).trim();

beforeAll(async () => {
  other = await Guest.create();
  const settings = { up: true, hardwareAddress: uplinkAddress };
  kernel.createVeth(uplink, settings, { name: 'eth0', pid: other.pid, settings: {} });
  await other.run('ip', 'link', 'set', 'eth0', 'up');
  await other.run('ip', 'address', 'add', '198.18.7.1/24', 'dev', 'eth0');
  await other.run('ip', 'address', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
  await daemon.must('launch', 'tiny', 'c1');
});
afterAll(async () => {
  run('sysctl', '-qw', `${forwarding}=${forwardingBefore}`);
  await other.end();
});

beforeEach(async () => {
  const { json } = await daemon.request('GET', '/1.0/instances/c1');
  const { status, devices } = (json?.metadata ?? {}) as { status?: string; devices?: object };
  for (const name of Object.keys(devices ?? {})) await lxc('config', 'device', 'remove', 'c1', name);
  if (status !== 'Running') await lxc('start', 'c1');
});

test('a p2p NIC has routes and limits, plugged in and changed while it runs', async () => {
  await lxc('config', 'device', 'add', 'c1', 'p', 'nic', 'nictype=p2p', 'name=p0', 'ipv4.routes=198.51.100.0/24');
  const host = await volatile('p.host_name');
  expect(host).toMatch(/^veth[0-9a-f]{8}$/);
  expect(await links()).toContain(await volatile('p.hwaddr'));
  expect(run('ip', 'route', 'show', 'dev', host)).toContain('198.51.100.0/24');
  await lxc('config', 'device', 'set', 'c1', 'p', 'limits.ingress=10Mbit');
  expect(run('tc', 'class', 'show', 'dev', host)).toMatch(/class htb 1:10 root .*rate 10Mbit/);
  expect(run('tc', 'filter', 'show', 'dev', host)).toContain('flowid 1:1');
  await lxc('config', 'device', 'set', 'c1', 'p', 'ipv4.routes=203.0.113.0/24', 'limits.max=2Mbit');
  expect(run('ip', 'route', 'show', 'dev', host).trim()).toMatch(/^203\.0\.113\.0\/24 [^\n]*$/);
  expect(run('tc', 'class', 'show', 'dev', host)).toContain('rate 2Mbit');
  expect(run('tc', 'filter', 'show', 'dev', host, 'ingress')).toMatch(/police|mirred/);
  expect(await volatile('p.host_name')).toBe(host);

  await lxc('restart', '-f', 'c1');
  const after = await volatile('p.host_name');
  expect(run('tc', 'class', 'show', 'dev', after)).toContain('rate 2Mbit');
  await lxc('config', 'device', 'unset', 'c1', 'p', 'limits.max');
  await lxc('config', 'device', 'unset', 'c1', 'p', 'limits.ingress');
  expect(run('tc', 'class', 'show', 'dev', after)).toBe('');
  expect(run('tc', 'filter', 'show', 'dev', after, 'ingress')).toBe('');
  await lxc('config', 'device', 'remove', 'c1', 'p');
  expect(await links()).not.toContain(' p0');
});

test('limits hold in both directions', async () => {
  const bytes = 2 ** 20; // takes a second at 8 Mbit/s
  const options = ['nictype=p2p', 'name=p0', 'host_name=lim0', 'limits.max=8Mbit'];
  await lxc('config', 'device', 'add', 'c1', 'p', 'nic', ...options);
  run('ip', 'address', 'add', '198.51.100.1/24', 'dev', 'lim0');
  await inGuest('ip', 'address', 'add', '198.51.100.2/24', 'dev', 'p0');
  const server = createServer(socket => {
    socket.once('data', () => socket.end(Buffer.alloc(bytes)));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
  }).listen(0, '198.51.100.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const [direction, script] of [
    ['ingress', `echo | nc 198.51.100.1 ${String(port)} | wc -c`],
    ['egress', `head -c ${String(bytes)} /dev/zero | nc 198.51.100.1 ${String(port)} | wc -c`],
  ] as const) {
    const begun = performance.now();
    const out = await inGuest('sh', '-c', script);
    if (direction === 'ingress') expect(Number(out)).toBe(bytes);
    expect(performance.now() - begun, direction).toBeGreaterThan(800);
  }
  server.close();
});

test('a bridged NIC has routes, limits and the MTU of its bridge', async () => {
  await lxc('network', 'set', daemon.bridge, 'bridge.mtu=1420');
  await lxc(
    'config',
    'device',
    'add',
    'c1',
    'b',
    'nic',
    `network=${daemon.bridge}`,
    'name=b0',
    'ipv4.routes=203.0.113.0/24',
  );
  expect(await links()).toMatch(/b0@.*mtu 1420/);
  expect(run('ip', 'route', 'show', 'dev', daemon.bridge)).toContain('203.0.113.0/24');
  await lxc('config', 'device', 'set', 'c1', 'b', 'limits.egress=5Mbit', 'ipv6.routes=2001:db8:5::/64');
  expect(run('ip', '-6', 'route', 'show', 'dev', daemon.bridge)).toContain('2001:db8:5::/64');
  await daemon.kill();
  run('ip', 'link', 'add', 'ifb0badcafe', 'type', 'ifb'); // as a NIC leaves it whose removal was cut short
  await daemon.start();
  expect(kernel.links().some(({ name }) => name === 'ifb0badcafe')).toBe(false);
  await lxc('stop', '-f', 'c1');
  expect(run('ip', 'route', 'show', 'dev', daemon.bridge)).not.toContain('203.0.113.0/24');
  expect(run('ip', '-6', 'route', 'show', 'dev', daemon.bridge)).not.toContain('2001:db8:5::/64');
  expect(shapers()).toEqual(shapersBefore);
  expect(await refused('config', 'device', 'set', 'c1', 'b', 'mtu=1400')).toContain(
    '"mtu" cannot be set with "network"',
  );
});

test('a macvlan NIC reaches the network of its parent', async () => {
  await lxc('config', 'device', 'add', 'c1', 'm', 'nic', 'nictype=macvlan', `parent=${uplink}`, 'name=m0');
  expect(await volatile('m.host_name')).toMatch(/^mac[0-9a-f]{8}$/);
  expect(await volatile('m.last_state.created')).toBe('false');
  for (const step of ['plugged in', 'from the start']) {
    await inGuest('ip', 'address', 'add', '198.18.7.7/24', 'dev', 'm0');
    expect(await inGuest('ping', '-c', '1', '-W', '2', '198.18.7.1'), step).toContain('1 packets received');
    expect(await links()).toContain(await volatile('m.hwaddr'));
    await lxc('restart', '-f', 'c1');
  }
  await lxc('config', 'device', 'remove', 'c1', 'm');
  expect(await links()).not.toContain('m0');
});

test('a NIC on a macvlan network is what the network says', async () => {
  await lxc('network', 'create', 'mnet', '--type=macvlan', `parent=${uplink}`, 'mtu=1400');
  await lxc('config', 'device', 'add', 'c1', 'm', 'nic', 'network=mnet', 'name=m0');
  expect(await links()).toMatch(/m0@.*mtu 1400/);
  expect(await refused('config', 'device', 'set', 'c1', 'm', 'limits.max=1Mbit')).toContain('"limits.max"');
  await lxc('restart', '-f', 'c1');
  expect(await links()).toMatch(/m0@.*mtu 1400/);
  await lxc('config', 'device', 'remove', 'c1', 'm');
  await lxc('network', 'delete', 'mnet');
});

test('a physical NIC goes in and comes back as it was', async () => {
  const before = await uplinkFaults();
  const options = ['nictype=physical', `parent=${uplink}`, 'name=x0', 'hwaddr=00:16:3e:00:00:77', 'mtu=1300'];
  await lxc('config', 'device', 'add', 'c1', 'x', 'nic', ...options);
  expect(await volatile('x.last_state.hwaddr')).toBe(uplinkAddress);
  expect(await volatile('x.host_name')).toBe(uplink);
  expect(await links()).toMatch(/x0@.*mtu 1300[^]*00:16:3e:00:00:77/);
  expect(kernel.links().some(({ name }) => name === uplink)).toBe(false);
  await lxc('config', 'device', 'remove', 'c1', 'x');
  expect(await uplinkFaults()).toBe(before);

  await lxc('stop', '-f', 'c1');
  await lxc('config', 'device', 'add', 'c1', 'x', 'nic', ...options);
  await lxc('start', 'c1');
  expect(await links()).toMatch(/x0@.*mtu 1300[^]*00:16:3e:00:00:77/);
  await daemon.kill();
  await daemon.start();
  const { json } = await daemon.request('GET', '/1.0/instances/c1/state');
  process.kill(json?.metadata.pid as number, 'SIGKILL');
  await settled(async () => (await daemon.request('GET', '/1.0/instances/c1')).json?.metadata.status === 'Stopped');
  await settled(async () => (await uplinkFaults()) === before);
  expect(await uplinkFaults()).toBe(before);
  expect(await volatile('x.last_state.hwaddr')).toBe('');
  kernel.changeLink(uplink, { up: true });
});

test('a routed NIC is reached through the host, and says which sysctl is missing', async () => {
  const add = ['config', 'device', 'add', 'c1', 'r', 'nic', 'nictype=routed', `parent=${uplink}`, 'name=r0'];
  const addresses = ['ipv4.address=198.18.7.9', 'ipv6.address=2001:db8::9', 'ipv4.host_table=77'];
  run('sysctl', '-qw', `net.ipv4.conf.${uplink}.forwarding=0`);
  expect(await refused(...add, ...addresses)).toContain(
    `Routed mode requires sysctl net.ipv4.conf.${uplink}.forwarding=1`,
  );
  run('sysctl', '-qw', `net.ipv4.conf.${uplink}.forwarding=1`, 'net.ipv6.conf.all.forwarding=1');
  run('sysctl', '-qw', `net.ipv6.conf.${uplink}.forwarding=1`, `net.ipv6.conf.${uplink}.proxy_ndp=1`);
  expect(await refused(...add, 'ipv4.address=198.18.7.1')).toContain(
    'IP address "198.18.7.1" in use on parent network',
  );
  run('ip', 'address', 'replace', '198.18.7.2/24', 'dev', uplink);
  run('ip', 'address', 'replace', '2001:db8::2/64', 'dev', uplink, 'nodad');

  await lxc('config', 'device', 'add', 'c1', 'eth0', 'none'); // the profile's, which has a default route too
  await lxc(...add, ...addresses);
  for (const step of ['plugged in', 'from the start']) {
    expect(await links(), step).toContain('198.18.7.9/32');
    expect(await links(), step).toContain('2001:db8::9/128');
    expect(await inGuest('ip', 'route'), step).toContain('default via 169.254.0.1 dev r0');
    expect(await inGuest('ip', '-6', 'route'), step).toContain('default via fe80::1 dev r0');
    expect(run('ip', 'neighbour', 'show', 'proxy', 'dev', uplink)).toContain('198.18.7.9');
    expect(run('ip', 'route', 'show', 'table', '77')).toContain('198.18.7.9');
    expect(await other.succeeds(5000, 'busybox', 'ping', '-c', '1', '-W', '2', '198.18.7.9'), step).toBe(true);
    expect(await other.succeeds(5000, 'busybox', 'ping', '-c', '1', '-W', '2', '2001:db8::9'), step).toBe(true);
    await lxc('stop', '-f', 'c1');
    expect(run('ip', 'neighbour', 'show', 'proxy')).toBe('');
    expect(run('ip', '-6', 'neighbour', 'show', 'proxy')).toBe('');
    await lxc('start', 'c1');
  }
  await lxc('config', 'device', 'remove', 'c1', 'r');
  expect(run('ip', 'neighbour', 'show', 'proxy')).toBe('');
});

test('a VLAN of the parent has a link of its own while it is used, where the kernel has VLANs', async () => {
  const words = ['config', 'device', 'add', 'c1', 'v', 'nic', `parent=${uplink}`, 'name=v0', 'vlan=5'];
  const vlan = `${uplink}.5`;
  for (const nictype of ['macvlan', 'physical']) {
    const { status, stderr } = await daemon.lxc([...words, `nictype=${nictype}`]);
    if (status !== 0) {
      expect(stderr).toContain('this kernel has no VLANs');
      continue;
    }
    expect(await links()).toContain('v0@');
    expect(await volatile('v.last_state.created')).toBe('true');
    await lxc('restart', '-f', 'c1');
    expect(await links()).toContain('v0@');
    await lxc('config', 'device', 'remove', 'c1', 'v');
    expect(kernel.links().some(({ name }) => name === vlan)).toBe(false);
  }
});

test('a bridged NIC is in VLANs, or refused with the reason where bridges do not filter them', async () => {
  const file = `/sys/class/net/${daemon.bridge}/bridge/vlan_filtering`;
  const words = ['config', 'device', 'add', 'c1', 'v', 'nic', `network=${daemon.bridge}`, 'name=v0', 'vlan=5'];
  let known = true;
  try {
    readFileSync(file);
  } catch {
    known = false;
  }
  if (known) {
    await lxc(...words, 'vlan.tagged=7,10-12');
    const shown = run('bridge', 'vlan', 'show', 'dev', await volatile('v.host_name'));
    expect(shown).toMatch(/5 PVID Egress Untagged/);
    expect(shown).not.toMatch(/\b1 PVID/);
    expect(shown).toContain('12');
  } else {
    expect(await refused(...words)).toContain('bridges do not filter VLANs');
  }
});
