import { expect, test } from 'vitest';
import { pairAddresses, parseProxyAddress } from './proxy-address.ts';

test.each([
  ['tcp:127.0.0.1:80', { transport: 'tcp', host: '127.0.0.1', ports: [80] }],
  ['udp:[2001:db8::1]:53-55,60', { transport: 'udp', host: '2001:db8::1', ports: [53, 54, 55, 60] }],
  ['tcp::80', { transport: 'tcp', host: '0.0.0.0', ports: [80] }],
  ['unix:/run/x.sock', { transport: 'unix', host: '/run/x.sock', ports: [] }],
  ['unix:@name', { transport: 'unix', host: '@name', ports: [] }],
])('%s is an address', (text, expected) => {
  expect(parseProxyAddress(text)).toEqual(expected);
});

test.each([
  '',
  'tcp:127.0.0.1',
  'tcp:127.0.0.1:0',
  'tcp:127.0.0.1:65536',
  'tcp:127.0.0.1:9-8',
  'tcp:127.0.0.1:1-65535',
  'tcp:2001:db8::1:80',
  'tcp:[127.0.0.1]:80',
  'tcp:host.example:80',
  'sctp:127.0.0.1:80',
  'unix:relative',
  'unix:/with blank',
  `unix:/${'x'.repeat(107)}`,
])('%j is none', text => {
  expect(parseProxyAddress(text)).toBeUndefined();
});

test('ports are paired one by one, or all with the only one', () => {
  const pairs = (listen: string, connect: string): unknown => {
    const [from, to] = [parseProxyAddress(listen), parseProxyAddress(connect)];
    return from && to && pairAddresses(from, to).map(pair => `${pair.listen} ${pair.connect}`);
  };
  expect(pairs('tcp:[::]:80-81', 'tcp:127.0.0.1:90-91')).toEqual([
    'tcp:[::]:80 tcp:127.0.0.1:90',
    'tcp:[::]:81 tcp:127.0.0.1:91',
  ]);
  expect(pairs('udp:0.0.0.0:1-2', 'unix:@x')).toEqual(['udp:0.0.0.0:1 unix:@x', 'udp:0.0.0.0:2 unix:@x']);
});
