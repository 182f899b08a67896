import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import { Guest } from '#network/testing/guest.ts';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const uplink = `u${daemon.tag}`;
let other: Guest;

const lxc = daemon.mustLxc.bind(daemon);

beforeAll(async () => {
  other = await Guest.create();
  kernel.createVeth(uplink, { up: true }, { name: 'eth0', pid: other.pid, settings: {} });
  await other.run('ip', 'link', 'set', 'eth0', 'up');
});
afterAll(() => other.end());

test('networks may lie on an interface of the host', async () => {
  await lxc('network', 'create', 'm1', '--type=macvlan', `parent=${uplink}`, 'mtu=1400');
  expect(await lxc('network', 'show', 'm1')).toContain(`config:\n  mtu: "1400"\n  parent: ${uplink}\n`);
  const shared = await daemon.lxc(['network', 'create', 'p1', '--type=physical', `parent=${uplink}`]);
  expect(shared.stderr).toContain('in use by network "m1"');
  const { json } = await daemon.request('GET', `/1.0/networks/${uplink}`);
  expect(json?.metadata).toMatchObject({ managed: false, used_by: ['/1.0/networks/m1'] });
  expect((await daemon.lxc(['network', 'forward', 'list', 'm1'])).stderr).toContain(
    '"macvlan" does not support forwards',
  );
  expect((await daemon.request('GET', '/1.0/networks/m1/leases')).status).toBe(501);
  await daemon.must('network', 'delete', 'm1');
  await lxc('network', 'create', 'p1', '--type=physical', `parent=${uplink}`, 'ipv4.gateway=192.0.2.1/24');
  await lxc('network', 'delete', 'p1');
});

test.each([
  [{ type: 'macvlan' }, '"parent" is required'],
  [{ type: 'macvlan', config: { parent: 'nope0' } }, '"nope0" not found'],
  [{ type: 'macvlan', config: { parent: 'lo', other: '1' } }, 'config.other'],
  [{ type: 'physical', config: { parent: 'lo', 'ipv4.gateway': 'x\ny' } }, 'config.ipv4.gateway'],
  [{ type: 'ovn' }, 'needs Open Virtual Network'],
  [{ type: 'sriov' }, 'virtual functions'],
  [{ type: 'nonsense' }, 'is not one of bridge, macvlan, physical'],
  [{ config: { 'bridge.mode': 'fan' } }, 'config.bridge.mode'],
  [{ config: { 'raw.dnsmasq': 'bogus-option' } }, 'Invalid "config.raw.dnsmasq": dnsmasq: bad option at line 1'],
  [{ config: { 'tunnel.a.protocol': 'gre' } }, 'tunnel.a.local'],
])('%j is refused', async (request, reason) => {
  const { status, json } = await daemon.request('POST', '/1.0/networks', { name: `${daemon.bridge}n`, ...request });
  expect({ status: status >= 400, told: json?.error.includes(reason) ? reason : json?.error }).toEqual({
    status: true,
    told: reason,
  });
  expect((await daemon.request('GET', `/1.0/networks/${daemon.bridge}n`)).status).toBe(404);
});

test('names of 16 characters and more are refused by the field', async () => {
  const { status, json } = await daemon.request('POST', '/1.0/networks', { name: 'abcdefghijklmnop' });
  expect({ status, error: json?.error }).toEqual({ status: 400, error: expect.stringContaining('"name"') });
});

test('a VXLAN joins a bridge to the network of another host', async () => {
  await other.run('ip', 'address', 'add', '198.51.100.2/24', 'dev', 'eth0');
  kernel.addAddress(uplink, '198.51.100.1/24');
  const tunnel = [
    'tunnel.one.protocol=vxlan',
    'tunnel.one.id=7',
    'tunnel.one.local=198.51.100.1',
    'tunnel.one.remote=198.51.100.2',
  ];
  await lxc('network', 'set', daemon.bridge, ...tunnel);
  expect((await daemon.request('GET', `/1.0/networks/${daemon.bridge}/state`)).json?.metadata.mtu).toBe(1400);
  const [address = ''] = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).split('/');
  await other.run(
    'ip',
    'link',
    'add',
    'vx',
    'type',
    'vxlan',
    'id',
    '7',
    'dstport',
    '8472',
    'local',
    '198.51.100.2',
    'remote',
    '198.51.100.1',
  );
  await other.run('ip', 'link', 'set', 'vx', 'up');
  await other.run('ip', 'address', 'add', address.replace(/\.1$/, '.200/24'), 'dev', 'vx');
  expect(await other.succeeds(10_000, 'busybox', 'ping', '-c', '1', '-W', '1', address)).toBe(true);
  await daemon.kill();
  await daemon.start();
  expect(await other.succeeds(10_000, 'busybox', 'ping', '-c', '1', '-W', '1', address)).toBe(true);
  for (const key of ['protocol', 'id', 'local', 'remote'])
    await lxc('network', 'unset', daemon.bridge, `tunnel.one.${key}`);
  expect(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })).not.toContain(`${daemon.bridge}-one`);
});

test('two instances may not have one address: a copy says so when it is started', async () => {
  const subnet = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).trim().replace(/\.1\/24$/, '');
  const devices = { eth0: { type: 'nic', network: daemon.bridge, name: 'eth0', 'ipv4.address': `${subnet}.50` } };
  await lxc('init', 'tiny', 'c1');
  expect((await daemon.operate('PATCH', '/1.0/instances/c1', { devices })).json?.error).toBe('');
  await lxc('copy', 'c1', 'c2');
  const started = await daemon.lxc(['start', 'c2']);
  expect(started.stderr).toContain(`IP address "${subnet}.50" already defined on another NIC`);
  expect((await daemon.lxc(['config', 'device', 'set', 'c2', 'eth0', `ipv4.address=${subnet}.51`])).status).toBe(0);
  const taken = await daemon.lxc(['config', 'device', 'set', 'c2', 'eth0', `ipv4.address=${subnet}.50`]);
  expect(taken.stderr).toContain('already defined on another NIC, device "eth0" of instance "c1"');
  const made = { name: 'c3', source: { type: 'none' }, devices };
  expect((await daemon.request('POST', '/1.0/instances', made)).json?.error).toContain(
    'already defined on another NIC',
  );
  await lxc('start', 'c1', 'c2');
  const leases = async (): Promise<readonly { hostname: string; address: string; type: string }[]> =>
    (await daemon.request('GET', `/1.0/networks/${daemon.bridge}/leases`)).json?.metadata;
  expect(await settled(async () => (await leases()).some(({ address }) => address === `${subnet}.51`))).toBe(true);
  expect(await leases()).toContainEqual(
    expect.objectContaining({ hostname: 'c1', address: `${subnet}.50`, type: 'static' }),
  );
});

test('a network whose interface is gone is unavailable, with a warning, and comes back', async () => {
  execFileSync('ip', ['link', 'add', `${uplink}x`, 'type', 'bridge']);
  await lxc('network', 'create', 'm2', '--type=macvlan', `parent=${uplink}x`);
  await daemon.terminate();
  execFileSync('ip', ['link', 'delete', `${uplink}x`]);
  await daemon.start();
  expect((await daemon.request('GET', '/1.0/networks/m2')).json?.metadata.status).toBe('Unavailable');
  const { json } = await daemon.request('GET', '/1.0/warnings?recursion=1');
  expect(json?.metadata).toContainEqual(
    expect.objectContaining({ type: 'Network unavailable', entity_url: '/1.0/networks/m2', severity: 'high' }),
  );
  expect((await daemon.cli(['network', 'explain', 'm2'])).stdout).toContain(`"${uplink}x" not found`);
  await lxc('network', 'delete', 'm2');
});
