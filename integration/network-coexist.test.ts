import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import { Guest } from '#network/testing/guest.ts';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const uplink = `u${daemon.tag}`;
let outside: Guest;

// a table that looks like Docker's, in the namespace of the test only
const table = 'coexist_filter';

function nft(script: string): string {
  return execFileSync('nft', ['-f', '-'], { input: script, encoding: 'utf8' });
}

function userChain(): string {
  return execFileSync('nft', ['list', 'chain', 'ip', table, 'DOCKER-USER'], { encoding: 'utf8' });
}

beforeAll(async () => {
  outside = await Guest.create();
  kernel.createVeth(uplink, { up: true }, { name: 'eth0', pid: outside.pid, settings: {} });
  kernel.addAddress(uplink, '198.51.100.1/24');
  await outside.run('ip', 'address', 'add', '198.51.100.2/24', 'dev', 'eth0');
  await outside.run('ip', 'link', 'set', 'eth0', 'up');
  await daemon.must('launch', 'tiny', 'c1');
  expect(await settled(reachesOutside, 15_000)).toBe(true);
  nft(`table ip ${table} {
    chain DOCKER-USER { }
    chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
  }`);
});
afterAll(async () => {
  nft(`delete table ip ${table}`);
  await outside.end();
});

async function reachesOutside(): Promise<boolean> {
  return (await daemon.cli(['exec', 'c1', '--', 'ping', '-c', '1', '-W', '1', '198.51.100.2'])).status === 0;
}

async function warnings(): Promise<readonly { entity_url: string; status: string; last_message: string }[]> {
  return (await daemon.request('GET', '/1.0/warnings?recursion=1')).json?.metadata;
}

test('a firewall that drops what is forwarded is explained, with its owner and the command', async () => {
  expect(await reachesOutside()).toBe(false);
  const { status, stdout } = await daemon.cli(['network', 'explain', 'c1']);
  expect(status).toBe(1);
  expect(stdout).toContain(`c1 (eth0) on network ${daemon.bridge}`);
  expect(stdout).toContain(`WRONG firewall: Chain "FORWARD" of nft table "ip ${table}" (Docker) drops`);
  const fix = /firewall: [^]*?try: (.*)/.exec(stdout)?.[1] ?? '';
  execFileSync('sh', ['-c', fix]);
  expect(await reachesOutside()).toBe(true);
  const after = await daemon.cli(['doctor', 'network']);
  expect({ status: after.status, out: after.stdout }).toEqual({
    status: 0,
    out: expect.stringContaining('ok    firewall'),
  });
  nft(`flush chain ip ${table} DOCKER-USER`);
});

test('it is a warning of the network until networks may pass', async () => {
  await daemon.must('network', 'create', `${daemon.bridge}x`, 'ipv4.address=10.203.7.1/24', 'ipv6.address=none');
  const url = `/1.0/networks/${daemon.bridge}`;
  const find = async () => (await warnings()).find(warning => warning.entity_url === url);
  await expect.poll(async () => (await find())?.last_message, { timeout: 5000 }).toContain('(Docker)');
  expect(await reachesOutside()).toBe(false);
  await daemon.must('config', 'set', 'network.firewall.coexist=true');
  expect(await settled(reachesOutside, 5000)).toBe(true);
  expect(await settled(async () => (await find())?.status === 'resolved', 5000)).toBe(true);
  const rules = userChain();
  for (const bridge of [daemon.bridge, `${daemon.bridge}x`]) {
    expect(rules).toContain(`iifname "${bridge}" accept comment "lxd_like_${daemon.tag}"`);
    expect(rules).toContain(`oifname "${bridge}" accept comment "lxd_like_${daemon.tag}"`);
  }
});

test('rules in the chain go with their network and with the key; rules of others stay', async () => {
  nft(`add rule ip ${table} DOCKER-USER iifname "other0" accept`);
  await daemon.must('network', 'delete', `${daemon.bridge}x`);
  expect(await settled(() => !userChain().includes(`${daemon.bridge}x`), 5000)).toBe(true);
  expect(userChain()).toContain(`"${daemon.bridge}"`);
  await daemon.must('config', 'unset', 'network.firewall.coexist');
  expect(await settled(() => !userChain().includes(daemon.bridge), 5000)).toBe(true);
  expect(userChain()).toContain('iifname "other0" accept');
});

test('addresses and what nobody knows are explained', async () => {
  const { json } = await daemon.request('GET', '/1.0/instances/c1/state');
  const addresses = (json?.metadata.network.eth0.addresses ?? []) as { family: string; address: string }[];
  const found = addresses.find(({ family }) => family === 'inet');
  expect((await daemon.cli(['network', 'explain', found?.address ?? ''])).stdout).toContain(
    `${found?.address ?? ''} is leased for`,
  );
  expect((await daemon.cli(['network', 'explain', '192.0.2.250'])).stderr).toContain(
    'Nothing here is named "192.0.2.250"',
  );
});
