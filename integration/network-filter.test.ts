import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';
import * as frames from './harness/frames.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const victims = { ip: '', ip6: '', mac: '' };
const attacker = { ip: '', ip6: '', mac: '', pid: 0, link: '' };
let victimPid = 0;

async function config(name: string): Promise<Readonly<Record<string, string>>> {
  return (await daemon.request('GET', `/1.0/instances/${name}`)).json?.metadata.config as Record<string, string>;
}

async function state(
  name: string,
): Promise<{ pid: number; addresses: { family: string; scope: string; address: string }[] }> {
  const { json } = await daemon.request('GET', `/1.0/instances/${name}/state`);
  return { pid: json?.metadata.pid as number, addresses: json?.metadata.network?.eth0?.addresses ?? [] };
}

const filterRules = (chain: string): string => daemon.firewallChain('bridge', chain);

/** Which of the frames that the attacker sends the victim gets. */
async function arriving(sent: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const bare = Object.entries(sent).map(([what, frame]) => [what, frame.replace(/\s/g, '')] as const);
  const seen = await frames.framesAt(victimPid, () => {
    for (const [, frame] of bare) frames.sendFrame(attacker.pid, 'eth0', frame);
  });
  return bare.filter(([, frame]) => seen.some(other => sameFrame(frame, other))).map(([what]) => what);
}

/** The kernel may have translated source address and port of what goes out to all over IPv4. */
function sameFrame(sent: string, seen: string): boolean {
  if (sent.slice(24, 28) !== '0800') return sent === seen;
  return seen.startsWith(sent.slice(0, 28)) && seen.endsWith(sent.slice(-14));
}

beforeAll(async () => {
  await daemon.must('launch', 'tiny', 'victim');
  await daemon.must('launch', 'tiny', 'bad');
  for (const name of ['victim', 'bad']) {
    await settled(
      async () => (await state(name)).addresses.filter(({ scope }) => scope === 'global').length > 1,
      20_000,
    );
  }
  const global = async (name: string, family: string): Promise<string> =>
    (await state(name)).addresses.find(entry => entry.scope === 'global' && entry.family === family)?.address ?? '';
  victims.ip = await global('victim', 'inet');
  victims.ip6 = await global('victim', 'inet6');
  attacker.ip = await global('bad', 'inet');
  attacker.ip6 = await global('bad', 'inet6');
  victims.mac = (await config('victim'))['volatile.eth0.hwaddr'] ?? '';
  attacker.mac = (await config('bad'))['volatile.eth0.hwaddr'] ?? '';
  victimPid = (await state('victim')).pid;
  attacker.pid = (await state('bad')).pid;
});

/** What a guest could send as somebody else. */
function spoofs(): Readonly<Record<string, string>> {
  const own = { mac: attacker.mac, ip: attacker.ip };
  const own6 = { mac: attacker.mac, ip: attacker.ip6 };
  const foreign = '00:16:3e:99:99:99';
  return {
    mac: frames.udpBroadcast({ mac: foreign, ip: attacker.ip }, [4001, 4001], '01'),
    ip: frames.udpBroadcast({ mac: attacker.mac, ip: victims.ip }, [4002, 4002], '02'),
    'arp of another hardware address': frames.arpReply(own, { mac: foreign, ip: attacker.ip }),
    'arp of another address': frames.arpReply(own, { mac: attacker.mac, ip: victims.ip }),
    'nd of another hardware address': frames.neighbourAdvertisement(own6, { mac: foreign, ip: attacker.ip6 }),
    'nd of another address': frames.neighbourAdvertisement(own6, { mac: attacker.mac, ip: victims.ip6 }),
    'nd from another address': frames.neighbourAdvertisement(
      { mac: attacker.mac, ip: victims.ip6 },
      { mac: attacker.mac, ip: victims.ip6 },
    ),
    ra: frames.routerAdvertisement({ mac: attacker.mac, ip: 'fe80::1' }),
    'ra from its own address': frames.routerAdvertisement(own6),
    'dhcp offer': frames.udpBroadcast(own, [67, 68], frames.dhcpMessage(2, victims.mac)),
    'dhcp request': frames.udpBroadcast({ mac: attacker.mac, ip: '0.0.0.0' }, [68, 67], frames.dhcpMessage(1, foreign)),
  };
}

test('without filters the victim gets what an attacker sends', async () => {
  expect(await arriving(spoofs())).toEqual(Object.keys(spoofs()));
});

test('filters of a running container hold at once, without its link going away', async () => {
  const before = (await config('bad'))['volatile.eth0.host_name'];
  const filters = ['security.mac_filtering', 'security.ipv4_filtering', 'security.ipv6_filtering'];
  const devices = {
    eth0: {
      type: 'nic',
      network: daemon.bridge,
      name: 'eth0',
      ...Object.fromEntries(filters.map(key => [key, 'true'])),
    },
  };
  const changed = await daemon.operate('PATCH', '/1.0/instances/bad', { devices });
  expect(changed.json?.error).toBe('');
  expect((await config('bad'))['volatile.eth0.host_name']).toBe(before);
  expect(await arriving(spoofs())).toEqual([]);
});

test('what is its own still passes', async () => {
  const own = frames.udpBroadcast({ mac: attacker.mac, ip: attacker.ip }, [4000, 4000], '00');
  expect(await arriving({ own })).toEqual(['own']);
  // the victim still believes for a while what it was told before the filters were on
  for (const target of [victims.ip, victims.ip6]) {
    const ping = ['exec', 'bad', '--', 'ping', '-c', '1', '-W', '1', target];
    expect(await settled(async () => (await daemon.cli(ping)).status === 0, 30_000)).toBe(true);
  }
  await daemon.must('exec', 'bad', '--', 'udhcpc', '-n', '-q', '-i', 'eth0', '-s', '/etc/udhcpc');
});

test('its address is kept for it, in the file where LXD keeps it', async () => {
  const hosts = `${daemon.directory}/networks/${daemon.bridge}/dnsmasq.hosts`;
  expect(readFileSync(`${hosts}/bad.eth0`, 'utf8')).toBe(`${attacker.mac},${attacker.ip},[${attacker.ip6}],bad\n`);
  expect(readdirSync(hosts).sort()).toEqual(['bad.eth0', 'victim.eth0']);
  expect(filterRules('in.bad.eth0')).toContain(`ip saddr ${attacker.ip} accept`);
});

test('filters survive a daemon that restarts and go with the container', async () => {
  const before = filterRules('fwd.bad.eth0');
  await daemon.terminate();
  await daemon.start();
  expect(filterRules('fwd.bad.eth0')).toBe(before);
  await daemon.must(
    'config',
    'device',
    'set',
    'bad',
    'eth0',
    'security.ipv4_filtering=false',
    'security.ipv6_filtering=false',
  );
  expect(filterRules('in.bad.eth0')).not.toContain('ip saddr');
  await daemon.must('stop', '--force', 'bad');
  expect(filterRules('in.bad.eth0')).toBe('');
});

test('a stopped container keeps its name and goes with its device', async () => {
  const hosts = `${daemon.directory}/networks/${daemon.bridge}/dnsmasq.hosts`;
  await daemon.must('rename', 'bad', 'good');
  expect(await settled(() => readdirSync(hosts).sort().join() === 'good.eth0,victim.eth0')).toBe(true);
  await daemon.must('delete', 'good');
  expect(await settled(() => readdirSync(hosts).join() === 'victim.eth0')).toBe(true);
});

test('isolated ports do not reach each other, but the gateway', async () => {
  await daemon.must('init', 'tiny', 'other');
  const devices = { eth0: { type: 'nic', network: daemon.bridge, name: 'eth0', 'security.port_isolation': 'true' } };
  for (const name of ['other', 'victim']) {
    expect((await daemon.operate('PATCH', `/1.0/instances/${name}`, { devices })).json?.error).toBe('');
  }
  await daemon.must('start', 'other');
  const ping = async (target: string): Promise<boolean> =>
    (await daemon.cli(['exec', 'other', '--', 'ping', '-c', '1', '-W', '1', target])).status === 0;
  const gateway = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).split('/')[0] ?? '';
  expect(await settled(() => ping(gateway), 15_000)).toBe(true);
  expect(await ping(victims.ip)).toBe(false);
  expect(
    (
      await daemon.operate('PATCH', '/1.0/instances/other', {
        devices: { eth0: { ...devices.eth0, 'security.port_isolation': 'false' } },
      })
    ).json?.error,
  ).toBe('');
  expect(await ping(victims.ip)).toBe(true);
});

test.each([
  [{ 'security.ipv4_filtering': 'maybe' }, 'security.ipv4_filtering'],
  [{ 'security.mac_filtering': 'true\ndrop' }, 'security.mac_filtering'],
  [{ 'ipv4.address': '10.0.0.1; accept' }, 'ipv4.address'],
])('%j is refused by name', async (more, key) => {
  const devices = { eth0: { type: 'nic', network: daemon.bridge, ...more } };
  const { status, json } = await daemon.request('PATCH', '/1.0/instances/victim', { devices });
  expect({ status, named: json?.error.includes(key) }).toEqual({ status: 400, named: true });
});
