import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs', network: true });

async function address(name: string, family: 'inet' | 'inet6'): Promise<string | undefined> {
  const { json } = await daemon.request('GET', `/1.0/instances/${name}/state`);
  const found = (json?.metadata.network?.eth0?.addresses ?? []) as { family: string; scope: string; address: string }[];
  return found.find(entry => entry.family === family && entry.scope === 'global')?.address;
}

test('two containers have addresses of both families and know each other by name', async () => {
  await daemon.must('launch', 'tiny', 'c1');
  await daemon.must('launch', 'tiny', 'c2');
  expect(
    await settled(
      async () => (await address('c1', 'inet')) !== undefined && (await address('c2', 'inet')) !== undefined,
    ),
  ).toBe(true);
  expect(await settled(async () => (await address('c1', 'inet6')) !== undefined)).toBe(true);
  expect(await daemon.must('exec', 'c1', '--', 'ping', '-c', '1', 'c2.lxd')).toContain('1 packets received');
});

test('the gateway answers and the lease is listed', async () => {
  const gateway = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).split('/')[0] ?? '';
  expect(await daemon.must('exec', 'c1', '--', 'ping', '-c', '1', gateway)).toContain('1 packets received');
  const leases = (await daemon.request('GET', `/1.0/networks/${daemon.bridge}/leases`)).json?.metadata as {
    hostname: string;
  }[];
  expect(leases.map(lease => lease.hostname)).toEqual(expect.arrayContaining(['c1', 'c2']));
});

test('NAT stands in a table of our own and nothing else was touched', () => {
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  const table = `lxd_like_${daemon.tag}`;
  expect(tables).toContain(`table inet ${table}`);
  const ruleset = execFileSync('nft', ['list', 'table', 'inet', table], { encoding: 'utf8' });
  expect(ruleset).toContain(`chain pstrt.${daemon.bridge}`);
  expect(ruleset).toContain('masquerade');
});

test('a dnsmasq that dies is back within seconds', async () => {
  const { readFileSync } = await import('node:fs');
  const pid = (): number =>
    Number(/pid: (\d+)/.exec(readFileSync(`${daemon.directory}/networks/${daemon.bridge}/dnsmasq.pid`, 'utf8'))?.[1]);
  const first = pid();
  process.kill(first, 'SIGKILL');
  expect(await settled(() => pid() !== first)).toBe(true);
  await daemon.must('exec', 'c1', '--', 'nslookup', 'c2.lxd', await gatewayOf());
});

async function gatewayOf(): Promise<string> {
  return (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).trim().split('/')[0] ?? '';
}

test('a NIC is plugged into and out of a running container', async () => {
  await daemon.must('config', 'device', 'add', 'c1', 'eth1', 'nic', `network=${daemon.bridge}`, 'name=eth1');
  expect(await daemon.must('exec', 'c1', '--', 'ip', 'link')).toContain('eth1');
  await daemon.must('config', 'device', 'remove', 'c1', 'eth1');
  expect(await daemon.must('exec', 'c1', '--', 'ip', 'link')).not.toContain('eth1');
});

test('a network in use is not deleted', async () => {
  const { status, stderr } = await daemon.cli(['network', 'delete', daemon.bridge]);
  expect({ status, told: stderr.includes('use') }).toEqual({ status: 1, told: true });
});

test('veths of a stopped container are gone', async () => {
  await daemon.must('stop', 'c2', '--force');
  const { json } = await daemon.request('GET', '/1.0/instances/c2');
  const host = json?.metadata.config['volatile.eth0.host_name'] as string | undefined;
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
  if (host) expect(links).not.toContain(host);
  expect(links.split('\n').filter(line => line.includes(`master ${daemon.bridge}`))).toHaveLength(1);
});
