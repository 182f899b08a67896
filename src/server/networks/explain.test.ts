import { expect, test } from 'vitest';
import { type NetworkFacts, networkFindings, nicFindings } from './explain.ts';

const facts: NetworkFacts = {
  network: { name: 'br0', type: 'bridge', config: { 'ipv4.address': '10.9.8.1/24', 'ipv4.nat': 'true' } },
  failure: undefined,
  link: { up: true, addresses: ['10.9.8.1'] },
  leases: [{ hostname: 'c1', hwaddr: '00:16:3e:00:00:01', address: '10.9.8.7', type: 'static', location: 'none' }],
  forwarding: { 4: true, 6: true },
  obstacles: [],
  forwards: [{ listen: '192.0.2.1', targets: ['10.9.8.7'] }],
};
const nic = {
  project: 'default',
  instance: 'c1',
  device: 'eth0',
  network: 'br0',
  options: { 'security.ipv4_filtering': 'true', 'ipv4.address': '10.9.8.7' },
  hardwareAddress: '00:16:3E:00:00:01',
};

function wrong(changed: Partial<NetworkFacts>): readonly string[] {
  return networkFindings({ ...facts, ...changed }).flatMap(({ ok, what, fix }) =>
    ok ? [] : [`${what}: ${fix ?? ''}`],
  );
}

test('all is well', () => {
  expect(networkFindings(facts).map(({ what, ok }) => `${what} ${String(ok)}`)).toEqual([
    'gateway true',
    'route true',
    'firewall true',
  ]);
});

test('each fault has the command that helps', () => {
  expect(wrong({ failure: 'no such thing' })).toHaveLength(1);
  expect(wrong({ link: undefined })).toEqual(['link: ip link set br0 up']);
  expect(wrong({ link: { up: true, addresses: [] } })).toEqual(['gateway: ip address add 10.9.8.1/24 dev br0']);
  expect(wrong({ forwarding: { 4: false, 6: true } })).toEqual(['route: sysctl -w net.ipv4.ip_forward=1']);
  const network = { ...facts.network, config: { ...facts.network.config, 'ipv4.routing': 'false' } };
  expect(wrong({ network })).toEqual(['route: network set br0 ipv4.routing=true']);
  expect(wrong({ obstacles: [{ text: 'Docker', fix: 'nft insert' }] })).toEqual(['firewall: nft insert']);
});

test('a NIC has its lease, filter and forwards', () => {
  expect(nicFindings(nic, facts).map(({ text }) => text)).toEqual([
    '10.9.8.7 is fixed by config for 00:16:3E:00:00:01',
    'Only 10.9.8.7 may send; other packets end in chain "in.c1.eth0"',
    '192.0.2.1 is forwarded here (chain "fwdprert.br0")',
  ]);
  expect(nicFindings({ ...nic, options: {} }, { ...facts, leases: [] })[0]).toMatchObject({ what: 'lease', ok: false });
});
