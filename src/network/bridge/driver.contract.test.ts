import { access, chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigMap } from '#api/common.ts';
import { silentLog } from '#base/log.ts';
import { poll } from '#base/retry.ts';
import { kernel } from '#native/kernel.ts';
import { noPolicies } from '../driver.ts';
import { dnsmasqFolder, findDnsmasq } from '../dnsmasq/process.ts';
import { listChains } from '../nftables/nft-command.ts';
import { Guest } from '../testing/guest.ts';
import { networkContract, type NetworkFixture } from '../testing/network-contract.ts';
import { completeConfig } from './complete-config.ts';
import { BridgeDriver } from './driver.ts';

const bridge = `tn${String(process.pid % 1_000_000)}`;
const firewallTable = `test_${bridge}`;
const forwarding = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'];
const before: string[] = [];

beforeAll(async () => {
  for (const file of forwarding) before.push(await readFile(file, 'utf8'));
});
afterAll(async () => {
  for (const [index, file] of forwarding.entries()) await writeFile(file, before[index] ?? '0');
});

interface BridgeFixture extends NetworkFixture {
  readonly folder: string;
  driver(config?: ConfigMap): BridgeDriver;
}

async function makeFixture(): Promise<BridgeFixture> {
  const folder = await mkdtemp(path.join(tmpdir(), 'network-'));
  await chmod(folder, 0o711);
  const config = await completeConfig(kernel, {}, { creating: true, taken: [] });
  return {
    folder,
    config,
    address: (config['ipv4.address'] ?? '').replace(/1\/24$/, '77'),
    driver: (given = config) =>
      new BridgeDriver(
        { name: bridge, config: given, policies: noPolicies, folder, firewallTable, log: silentLog },
        kernel,
      ),
    leftovers: async () => {
      const link = (await exists(`/sys/class/net/${bridge}`)) ? [bridge] : [];
      const process = await findDnsmasq(dnsmasqFolder(folder));
      const chains = (await listChains()).filter(chain => chain.table === firewallTable).map(chain => chain.name);
      return [...link, ...(process ? [`dnsmasq ${String(process.pid)}`] : []), ...chains];
    },
    cleanUp: () => rm(folder, { recursive: true }),
  };
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

networkContract('a bridge', makeFixture);

describe('a bridge with guests', () => {
  let fixture: BridgeFixture;
  let driver: BridgeDriver;
  let guests: Guest[];
  let gateway: string;

  beforeEach(async () => {
    fixture = await makeFixture();
    driver = fixture.driver();
    guests = [];
    gateway = (fixture.config['ipv4.address'] ?? '').split('/')[0] ?? '';
    await driver.start();
  });
  afterEach(async () => {
    for (const guest of guests) await guest.end();
    await driver.stop();
    expect(await fixture.leftovers()).toEqual([]);
    await fixture.cleanUp();
  });

  async function plugIn(name: string, number: number, ipv4Address?: string): Promise<Guest> {
    const guest = await Guest.create();
    guests.push(guest);
    const hostInterface = `${bridge}v${String(number)}`;
    const hardwareAddress = `00:16:3e:00:00:0${String(number)}`;
    const nic = { instance: name, device: 'eth0', hostName: name, hostInterface, hardwareAddress };
    const { bridge: master } = await driver.attach({ ...nic, ...(ipv4Address !== undefined && { ipv4Address }) });
    const peer = { name: 'eth0', pid: guest.pid, settings: { hardwareAddress } };
    kernel.createVeth(hostInterface, { up: true, master }, peer);
    await guest.run('ip', 'link', 'set', 'eth0', 'up');
    return guest;
  }

  test('guests get leases, names, IPv6 addresses and each other', async () => {
    const c1 = await plugIn('c1', 1);
    const lease = await c1.requestLease('eth0', 'not-my-name');
    expect(lease['router']).toBe(gateway);
    expect(lease['dns']).toBe(gateway);
    expect(lease['domain']).toBe('lxd');
    expect(await c1.succeeds(5000, 'busybox', 'ping', '-c', '1', '-W', '1', gateway)).toBe(true);
    expect(await driver.leases()).toContainEqual({
      hostname: 'c1',
      hwaddr: '00:16:3e:00:00:01',
      address: lease['ip'],
      type: 'dynamic',
      location: 'none',
    });

    const c2 = await plugIn('c2', 2, fixture.address);
    expect((await c2.requestLease('eth0', 'c2'))['ip']).toBe(fixture.address);
    expect(await c2.run('busybox', 'nslookup', '-type=a', 'c1.lxd', gateway)).toContain(lease['ip'] ?? 'none');
    expect(await c1.run('busybox', 'nslookup', '-type=a', 'c2.lxd', gateway)).toContain(fixture.address);

    const slaac = await poll(async () => (await c1.addresses('eth0', 6))[0], { timeoutMs: 15_000, intervalMs: 200 });
    const prefix = (fixture.config['ipv6.address'] ?? '').replace(/::1\/64$/, '');
    expect(slaac).toBe(`${prefix}:216:3eff:fe00:1`);
    expect(await driver.leases()).toContainEqual(expect.objectContaining({ hostname: 'c1', address: slaac }));
    expect(await c2.succeeds(5000, 'busybox', 'ping', '-c', '1', '-W', '1', slaac ?? '')).toBe(true);
    const asked = ['busybox', 'nslookup', '-type=aaaa', 'c1.lxd', `${prefix}::1`];
    const named = await poll(
      async () => ((await c2.run(...asked).catch(() => '')).includes(slaac ?? 'none') ? true : undefined),
      {
        timeoutMs: 15_000,
        intervalMs: 500,
      },
    );
    expect(named).toBe(true);
  });

  test('guests reach the outside under the address of the host', async () => {
    const outside = await Guest.create();
    guests.push(outside);
    const uplink = `${bridge}up`;
    kernel.createVeth(uplink, { up: true }, { name: 'eth0', pid: outside.pid, settings: {} });
    kernel.addAddress(uplink, '198.51.100.1/24');
    await outside.run('ip', 'address', 'add', '198.51.100.2/24', 'dev', 'eth0');
    await outside.run('ip', 'link', 'set', 'eth0', 'up');
    const c1 = await plugIn('c1', 1);
    await c1.requestLease('eth0', 'c1');
    // the outside has no route back to the guest's subnet: only NAT lets an answer find its way
    expect(await c1.succeeds(5000, 'busybox', 'ping', '-c', '1', '-W', '1', '198.51.100.2')).toBe(true);
    await driver.update({ ...fixture.config, 'ipv4.nat': 'false' }, noPolicies);
    expect(await c1.succeeds(0, 'busybox', 'ping', '-c', '1', '-W', '1', '198.51.100.2')).toBe(false);
  });

  test('dnsmasq runs without root and comes back within two seconds when killed', async () => {
    const files = dnsmasqFolder(fixture.folder);
    const first = await findDnsmasq(files);
    expect(await readFile(files.pid, 'utf8')).toContain(`\npid: ${String(first?.pid)}\n`);
    expect(await readFile(`/proc/${String(first?.pid)}/status`, 'utf8')).not.toMatch(/^Uid:\t0/m);
    process.kill(first?.pid ?? 0, 'SIGKILL');
    const next = await poll(
      async () => {
        const found = await findDnsmasq(files);
        return found && found.pid !== first?.pid && (await driver.heal()).length === 0 ? found : undefined;
      },
      { timeoutMs: 2000, intervalMs: 50 },
    );
    expect(next).toBeDefined();
  });

  test('heal() replaces a dnsmasq that hangs', async () => {
    const files = dnsmasqFolder(fixture.folder);
    const first = await findDnsmasq(files);
    process.kill(first?.pid ?? 0, 'SIGSTOP');
    expect(await poll(async () => (await driver.heal())[0], { timeoutMs: 2000, intervalMs: 50 })).toBe(
      'dnsmasq does not run',
    );
    expect((await findDnsmasq(files))?.pid).not.toBe(first?.pid);
  });

  test('heal() rebuilds a bridge that was deleted and plugs guests in again', async () => {
    const c1 = await plugIn('c1', 1);
    await c1.requestLease('eth0', 'c1');
    kernel.deleteLink(bridge);
    expect(await driver.heal()).toEqual(['the bridge is gone']);
    expect(await c1.succeeds(5000, 'busybox', 'ping', '-c', '1', '-W', '1', gateway)).toBe(true);
    await c1.run('ip', 'address', 'flush', 'dev', 'eth0', 'scope', 'global');
    expect((await c1.requestLease('eth0', 'c1'))['router']).toBe(gateway);
    expect(await driver.heal()).toEqual([]);
  });

  test('the same dnsmasq serves the next daemon unless the config changed', async () => {
    const files = dnsmasqFolder(fixture.folder);
    const first = await findDnsmasq(files);
    await driver.release();
    driver = fixture.driver();
    await driver.start();
    expect(await findDnsmasq(files)).toEqual(first);
    await driver.release();
    driver = fixture.driver({ ...fixture.config, 'dns.domain': 'example.test' });
    await driver.start();
    expect((await findDnsmasq(files))?.pid).not.toBe(first?.pid);
  });

  test('a NIC with a name that is none is left out, and the others are published', async () => {
    const nic = { device: 'eth0', hardwareAddress: '00:16:3e:00:00:07' };
    await driver.reserve([
      { ...nic, instance: 'bad', hostName: 'a,b' },
      { ...nic, instance: '../up', hostName: 'up' },
      { ...nic, instance: 'c7', hostName: 'c7' },
    ]);
    expect(await readdir(path.join(fixture.folder, 'dnsmasq.hosts'))).toEqual(['c7.eth0']);
  });

  test('stateful DHCPv6 hands out addresses of the subnet', async () => {
    await driver.update({ ...fixture.config, 'ipv6.dhcp.stateful': 'true' }, noPolicies);
    expect(await readFile(path.join(fixture.folder, 'dnsmasq.conf'), 'utf8')).toMatch(/^dhcp-range=fd42:.*,64,1h$/m);
    expect((await readdir(fixture.folder)).sort()).toEqual(expect.arrayContaining(['dnsmasq.hosts', 'dnsmasq.raw']));
  });

  test('further subnets are routed to the bridge', async () => {
    await driver.update({ ...fixture.config, 'ipv4.routes': '203.0.113.0/28, 203.0.113.16/28' }, noPolicies);
    const routes = async (): Promise<number> =>
      (await readFile('/proc/net/route', 'utf8')).split('\n').filter(line => line.startsWith(`${bridge}\t`)).length;
    expect(await routes()).toBe(3);
    await driver.update(fixture.config, noPolicies);
    expect(await routes()).toBe(1);
  });
});
