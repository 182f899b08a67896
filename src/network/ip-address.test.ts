import { describe, expect, test } from 'vitest';
import * as ip from './ip-address.ts';

const cidr = (text: string): ip.Cidr => {
  const parsed = ip.parseCidr(text);
  if (!parsed) throw new Error(`Not a subnet: ${text}`);
  return parsed;
};

describe('addresses', () => {
  test.each([
    ['10.1.2.3', '10.1.2.3'],
    ['fd42:0:0:1::1', 'fd42:0:0:1::1'],
    ['FD42::0001', 'fd42::1'],
    ['::', '::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:10.1.2.3', '::ffff:a01:203'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ])('%s is written %s', (text, canonical) => {
    expect(ip.formatAddress(cidr(`${text}/32`))).toBe(canonical);
  });

  test.each(['10.1.2', '10.1.2.256', 'fe80::1%eth0', '', '1::2::3', '10.1.2.3\n'])('%j is no address', text => {
    expect(ip.parseAddress(text)).toBeUndefined();
  });

  test('a family may be asked for', () => {
    expect(ip.parseAddress('10.0.0.1', 6)).toBeUndefined();
    expect(ip.parseCidr('fd42::1/64', 4)).toBeUndefined();
    expect(ip.parseCidr('10.0.0.1/33')).toBeUndefined();
  });
});

describe('subnets', () => {
  test('know their first and last address', () => {
    expect(ip.formatCidr(ip.networkOf(cidr('10.1.2.3/20')))).toBe('10.1.0.0/20');
    expect(ip.formatAddress(ip.lastOf(cidr('10.1.2.3/20')))).toBe('10.1.15.255');
    expect(ip.formatAddress(ip.lastOf(cidr('fd42::1/64')))).toBe('fd42::ffff:ffff:ffff:ffff');
  });

  test('overlap when one holds the other', () => {
    expect(ip.overlaps(cidr('10.1.2.1/24'), cidr('10.0.0.0/8'))).toBe(true);
    expect(ip.overlaps(cidr('10.0.0.0/8'), cidr('10.1.2.1/24'))).toBe(true);
    expect(ip.overlaps(cidr('10.1.2.1/24'), cidr('10.1.3.1/24'))).toBe(false);
    expect(ip.overlaps(cidr('::/0'), cidr('10.1.3.1/24'))).toBe(false);
  });

  test('give SLAAC addresses when they are 64 bits wide', () => {
    const address = ip.slaacAddress(cidr('fd42:1:2:3::1/64'), '00:16:3e:01:02:03');
    expect(address && ip.formatAddress(address)).toBe('fd42:1:2:3:216:3eff:fe01:203');
    expect(ip.slaacAddress(cidr('fd42::1/80'), '00:16:3e:01:02:03')).toBeUndefined();
  });
});
