import { expect, test } from 'vitest';
import { parseCidr } from '../ip-address.ts';
import { nicChains, type NicFilter } from './nic-rules.ts';

const nic: NicFilter = {
  instance: 'c1',
  device: 'eth0',
  hostInterface: 'veth1',
  hardwareAddress: '00:16:3e:20:e5:8d',
};

function cidrs(...texts: readonly string[]): NonNullable<NicFilter['ipv4']> {
  return texts.flatMap(text => parseCidr(text) ?? []);
}

function rules(filter: NicFilter, hook: 'in' | 'fwd'): readonly string[] {
  const chain = nicChains(filter).find(({ name }) => name === `${hook}.c1.eth0`);
  return (chain?.rules ?? []).map(rule => rule.replace('iifname "veth1" ', ''));
}

const mac = [
  'ether saddr != 00:16:3e:20:e5:8d drop',
  'arp saddr ether != 00:16:3e:20:e5:8d drop',
  'icmpv6 type nd-neighbor-advert @nh,528,48 != 0x00163e20e58d drop',
];

test('the hardware address alone', () => {
  expect(rules(nic, 'in')).toEqual(mac);
  expect(rules(nic, 'fwd')).toEqual(mac);
});

test('IPv4: requests for a lease go to the host only, offers nowhere', () => {
  const filter = { ...nic, ipv4: cidrs('10.9.8.7/32', '192.0.2.0/24') };
  const rest = [
    'udp sport 67 udp dport 68 drop',
    'arp saddr ip 10.9.8.7 accept',
    'ip saddr 10.9.8.7 accept',
    'arp saddr ip 192.0.2.0/24 accept',
    'ip saddr 192.0.2.0/24 accept',
    'ether type arp drop',
    'ether type ip drop',
    'ether type != { arp, ip, ip6 } drop',
  ];
  expect(rules(filter, 'in')).toEqual([
    ...mac,
    'udp dport 67 @th,288,48 != 0x00163e20e58d drop',
    'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp dport 67 accept',
    ...rest,
  ]);
  expect(rules(filter, 'fwd')).toEqual([...mac, ...rest]);
});

test('IPv6: advertisements for other addresses are dropped before sources are accepted', () => {
  const filter = { ...nic, ipv6: cidrs('fd42:1:2:3::7/128', '2001:db8::/64') };
  const rest = [
    'icmpv6 type nd-router-advert drop',
    'udp sport 547 udp dport 546 drop',
    'icmpv6 type nd-neighbor-advert @nh,384,128 0xfd420001000200030000000000000007 accept',
    'icmpv6 type nd-neighbor-advert @nh,384,64 0x20010db800000000 accept',
    'icmpv6 type nd-neighbor-advert drop',
    'ip6 saddr fd42:1:2:3::7 accept',
    'ip6 saddr 2001:db8::/64 accept',
    'ether type ip6 drop',
    'ether type != { arp, ip, ip6 } drop',
  ];
  expect(rules(filter, 'in')).toEqual([
    ...mac,
    'ip6 saddr fe80::/10 ip6 daddr ff02::1:2 udp dport 547 accept',
    'ip6 saddr fe80::/10 ip6 daddr ff02::2 icmpv6 type nd-router-solicit accept',
    ...rest,
  ]);
  expect(rules(filter, 'fwd')).toEqual([...mac, ...rest]);
});

test('a NIC that may have no address sends nothing', () => {
  expect(rules({ ...nic, ipv4: [], ipv6: [] }, 'in')).toEqual([
    ...mac,
    'ether type arp drop',
    'ether type ip drop',
    'ether type ip6 drop',
  ]);
});
