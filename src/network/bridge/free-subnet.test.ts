import { describe, expect, test } from 'vitest';
import { formatCidr, parseCidr } from '../ip-address.ts';
import { chooseSubnet, parseIpv4Routes, parseIpv6Routes } from './free-subnet.ts';

const used = (...texts: readonly string[]) => texts.flatMap(text => parseCidr(text) ?? []);

describe('chooseSubnet()', () => {
  test('passes over what is used', () => {
    const numbers = [Buffer.from([1, 2]), Buffer.from([3, 4]), Buffer.from([5, 6])];
    const choose = (): Buffer => numbers.shift() ?? Buffer.from([9, 9]);
    expect(chooseSubnet(4, used('10.1.0.0/16', '10.3.4.7/32'), choose)).toBe('10.5.6.1/24');
  });

  test('leaves 10.0.0.0/8 when somebody has all of it', () => {
    expect(chooseSubnet(4, used('10.0.0.0/8'))).toMatch(/^172\.(1[6-9]|2\d|3[01])\.\d+\.1\/24$/);
  });

  test('fails when every private subnet is used', () => {
    expect(() => chooseSubnet(4, used('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'))).toThrow(/ipv4.address/);
  });

  test('makes a local IPv6 subnet', () => {
    expect(chooseSubnet(6, [], () => Buffer.from([0, 1, 0, 2, 0, 3]))).toBe('fd42:1:2:3::1/64');
  });
});

describe('routes of the host', () => {
  test('are read from /proc/net/route, default routes aside', () => {
    const text = `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;
    expect(parseIpv4Routes(text).map(formatCidr)).toEqual(['192.0.2.0/24']);
  });

  test('are read from /proc/net/ipv6_route', () => {
    const zeros = '0'.repeat(32);
    const text = `fd000000000000000000000000000000 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001 eth0
${zeros} 00 ${zeros} 00 ${zeros} 00000400 00000001 00000000 00000001 eth0
`;
    expect(parseIpv6Routes(text).map(formatCidr)).toEqual(['fd00::/64']);
  });
});
