import { expect, test } from 'vitest';
import { bridgeLeases } from '../bridge/leases.ts';
import { bridgeSettings } from '../bridge/settings.ts';
import { parseLeases } from './leases.ts';

const text = `1700000000 00:16:3e:01:02:03 10.1.2.7 c1 01:00:16:3e:01:02:03
0 00:16:3e:01:02:04 10.1.2.8 * *
garbage
1 2
1700000000 00:16:3e:01:02:05 10.1.2.9 $(reboot) *
duid 00:01:00:01:2a:00:00:00:00:16:3e:00:00:00
1700000000 3000 fd42::7 c1 00:01:00:01:2a:00:00:00:00:16:3e:01:02:03
1700000000 3001 fd42::8 c2 00:02:00:00:ab:11:6b:aa:bb:cc:dd:ee:ff:00
`;

test('leases of both families are read and what does not fit is skipped', () => {
  expect(parseLeases(text)).toEqual([
    { hostName: 'c1', hardwareAddress: '00:16:3e:01:02:03', address: '10.1.2.7', expires: 1_700_000_000 },
    { hostName: '', hardwareAddress: '00:16:3e:01:02:04', address: '10.1.2.8', expires: 0 },
    { hostName: '', hardwareAddress: '00:16:3e:01:02:05', address: '10.1.2.9', expires: 1_700_000_000 },
    { hostName: 'c1', hardwareAddress: '00:16:3e:01:02:03', address: 'fd42::7', expires: 1_700_000_000 },
    { hostName: 'c2', hardwareAddress: '', address: 'fd42::8', expires: 1_700_000_000 },
  ]);
});

test('a static lease hides the dynamic one of the same address', () => {
  const settings = bridgeSettings('net1', {
    'ipv4.address': '10.1.2.1/24',
    'ipv6.address': 'fd42::1/64',
  });
  const nic = { instance: 'c1', device: 'eth0', hostName: 'c1', hardwareAddress: '00:16:3e:01:02:03' };
  const gateway = { hostname: 'net1.gw', hwaddr: '', type: 'gateway', location: '' };
  const c1 = { hostname: 'c1', hwaddr: '00:16:3e:01:02:03', location: 'none' };
  expect(bridgeLeases(settings, [{ ...nic, ipv4Address: '10.1.2.7' }], parseLeases(text.split('\n')[0] ?? ''))).toEqual(
    [
      { ...gateway, address: '10.1.2.1' },
      { ...gateway, address: 'fd42::1' },
      { ...c1, address: '10.1.2.7', type: 'static' },
      { ...c1, address: 'fd42::216:3eff:fe01:203', type: 'dynamic' },
    ],
  );
});
