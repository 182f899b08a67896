import { expect, test } from 'vitest';
import { formatAddress } from '../ip-address.ts';
import { type KnownHosts, planHosts } from './reservations.ts';
import { bridgeSettings } from './settings.ts';

const settings = bridgeSettings('net1', { 'ipv4.address': '10.1.2.1/29', 'ipv6.address': 'fd42::1/64' });
const nothing: KnownHosts = { hosts: new Map(), leases: [] };

function nic(number: number, more: object = {}): Parameters<typeof planHosts>[1][number] {
  const name = `c${String(number)}`;
  return {
    instance: name,
    device: 'eth0',
    hostName: name,
    hardwareAddress: `00:16:3e:00:00:0${String(number)}`,
    ...more,
  };
}

function addresses(nics: Parameters<typeof planHosts>[1], known = nothing): readonly string[] {
  return [...planHosts(settings, nics, known).values()].map(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].map(address => (address ? formatAddress(address) : '-')).join(' '),
  );
}

const filtered = { ipv4Filtering: true, ipv6Filtering: true };

test('a NIC without filters gets what its config says', () => {
  expect(addresses([nic(1), nic(2, { ipv4Address: '10.1.2.4', ipv6Address: 'fd42::4' })])).toEqual([
    '- -',
    '10.1.2.4 fd42::4',
  ]);
});

test('filtered NICs get free addresses, apart from those that others have', () => {
  const lease = { hostName: '', hardwareAddress: '00:16:3e:00:00:09', address: '10.1.2.3', expires: 0 };
  const nics = [nic(1, filtered), nic(2, { ipv4Address: '10.1.2.2' }), nic(3, filtered)];
  expect(addresses(nics, { ...nothing, leases: [lease] })).toEqual([
    '10.1.2.4 fd42::216:3eff:fe00:1',
    '10.1.2.2 -',
    '10.1.2.5 fd42::216:3eff:fe00:3',
  ]);
});

test('a filtered NIC keeps the address it has been given, or has leased', () => {
  const entry = { hardwareAddress: '00:16:3e:00:00:01', addresses: ['10.1.2.6'], name: 'c1' };
  const lease = { hostName: '', hardwareAddress: '00:16:3e:00:00:02', address: '10.1.2.5', expires: 0 };
  const known = { hosts: new Map([['c1.eth0', entry]]), leases: [lease] };
  expect(addresses([nic(2, filtered), nic(1, filtered)], known)).toEqual([
    '10.1.2.5 fd42::216:3eff:fe00:2',
    '10.1.2.6 fd42::216:3eff:fe00:1',
  ]);
});

test('"none" and a full network give nothing', () => {
  expect(addresses([nic(1, { ...filtered, ipv4Address: 'none', ipv6Address: 'none' })])).toEqual(['- -']);
  const many = [1, 2, 3, 4, 5, 6].map(number => nic(number, { ipv4Filtering: true }));
  expect(addresses(many).map(line => line.split(' ')[0])).toEqual([
    '10.1.2.2',
    '10.1.2.3',
    '10.1.2.4',
    '10.1.2.5',
    '10.1.2.6',
    '-',
  ]);
});
