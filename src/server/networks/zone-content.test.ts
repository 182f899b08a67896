import { expect, test } from 'vitest';
import { networkRecords, peersOf, reverseName } from './zone-content.ts';

const lease = (hostname: string, address: string) =>
  ({ hostname, address, hwaddr: '', type: 'dynamic', location: 'none' }) as const;
const leases = [
  lease('br0.gw', '10.9.8.1'),
  lease('C1', '10.9.8.7'),
  lease('c1', 'fd42::7'),
  lease('', '10.9.8.8'),
  lease('a..b', '10.9.8.9'),
];
const forward = { name: 'lab.test', config: {} };
const network = {
  config: { 'dns.zone.forward': 'lab.test', 'dns.zone.reverse.ipv4': '9.10.in-addr.arpa', 'ipv4.nat': 'true' },
};

function namesOf(...words: Parameters<typeof networkRecords>): readonly string[] {
  return networkRecords(...words).map(({ name, type, data }) => `${name} ${String(type)} ${data.toString('hex')}`);
}

test('a forward zone has the names that are names', () => {
  expect(namesOf(forward, network, leases)).toEqual([
    'br0.gw.lab.test 1 0a090801',
    'c1.lab.test 1 0a090807',
    'c1.lab.test 28 fd420000000000000000000000000007',
  ]);
});

test('addresses behind NAT are left out on demand', () => {
  const zone = { ...forward, config: { 'network.nat': 'false' } };
  expect(namesOf(zone, network, leases)).toEqual(['c1.lab.test 28 fd420000000000000000000000000007']);
});

test('a reverse zone has the addresses below it, of networks with a forward zone', () => {
  const zone = { name: '9.10.in-addr.arpa', config: {} };
  expect(networkRecords(zone, network, leases).map(({ name }) => name)).toEqual([
    '1.8.9.10.in-addr.arpa',
    '7.8.9.10.in-addr.arpa',
  ]);
  expect(networkRecords({ ...zone, name: '1.10.in-addr.arpa' }, network, leases)).toEqual([]);
  expect(networkRecords(zone, { config: { 'dns.zone.reverse.ipv4': zone.name } }, leases)).toEqual([]);
});

test('addresses have names of their own', () => {
  expect(reverseName('2001:db8::1')).toBe(`${'1.' + '0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`);
});

test('keys are named after zone and peer', () => {
  const config = { 'peers.one.address': '192.0.2.1', 'peers.Two.key': 'c2VjcmV0', 'user.x': 'y' };
  expect(peersOf({ name: 'lab.test', config })).toEqual([
    { address: '192.0.2.1', key: undefined },
    { address: undefined, key: { name: 'lab.test_two', secret: Buffer.from('secret') } },
  ]);
});
