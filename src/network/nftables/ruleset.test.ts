import { expect, test } from 'vitest';
import { bridgeSettings } from '../bridge/settings.ts';
import { obstaclesAmong } from './firewall.ts';
import { renderNetwork } from './ruleset.ts';

const replaced = `add table inet lxd_like
add chain inet lxd_like pstrt.net1
delete chain inet lxd_like pstrt.net1
add chain inet lxd_like fwd.net1
delete chain inet lxd_like fwd.net1
add chain inet lxd_like in.net1
delete chain inet lxd_like in.net1
add chain inet lxd_like out.net1
delete chain inet lxd_like out.net1
`;

test('a network with both families and NAT has four chains', () => {
  const settings = bridgeSettings('net1', {
    'ipv4.address': '10.1.2.1/24',
    'ipv4.nat': 'true',
    'ipv6.address': 'fd42:1:2:3::1/64',
    'ipv6.nat': 'true',
    'ipv6.nat.address': 'fd00::2',
    'ipv6.routing': 'false',
  });
  expect(renderNetwork('lxd_like', settings)).toBe(`${replaced}table inet lxd_like {
  chain pstrt.net1 {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.1.2.0/24 ip daddr != 10.1.2.0/24 masquerade
    ip6 saddr fd42:1:2:3::/64 ip6 daddr != fd42:1:2:3::/64 snat ip6 to fd00::2
  }

  chain fwd.net1 {
    type filter hook forward priority filter; policy accept;
    meta nfproto ipv4 oifname "net1" accept
    meta nfproto ipv4 iifname "net1" accept
    meta nfproto ipv6 oifname "net1" reject
    meta nfproto ipv6 iifname "net1" reject
  }

  chain in.net1 {
    type filter hook input priority filter; policy accept;
    iifname "net1" tcp dport 53 accept
    iifname "net1" udp dport 53 accept
    iifname "net1" icmp type { 3, 11, 12 } accept
    iifname "net1" udp dport 67 accept
    iifname "net1" icmpv6 type { 1, 2, 3, 4, 133, 135, 136, 143 } accept
    iifname "net1" udp dport 547 accept
  }

  chain out.net1 {
    type filter hook output priority filter; policy accept;
    oifname "net1" tcp sport 53 accept
    oifname "net1" udp sport 53 accept
    oifname "net1" icmp type { 3, 11, 12 } accept
    oifname "net1" udp sport 67 accept
    oifname "net1" icmpv6 type { 1, 2, 3, 4, 128, 134, 135, 136, 143 } accept
    oifname "net1" udp sport 547 accept
  }
}
`);
});

test('a network without addresses has no rules', () => {
  expect(renderNetwork('lxd_like', bridgeSettings('net1', {}))).toBe(replaced);
});

test('a network without firewall keeps its NAT', () => {
  const config = { 'ipv4.address': '10.1.2.1/24', 'ipv4.nat': 'true', 'ipv4.firewall': 'false' };
  expect(renderNetwork('lxd_like', bridgeSettings('net1', config))).toBe(`${replaced}table inet lxd_like {
  chain pstrt.net1 {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.1.2.0/24 ip daddr != 10.1.2.0/24 masquerade
  }
}
`);
});

test('foreign chains that drop what is forwarded are obstacles', () => {
  const base = { type: 'filter', hook: 'forward' };
  const chains = [
    { family: 'ip', table: 'filter', name: 'FORWARD', policy: 'drop', ...base },
    { family: 'ip', table: 'filter', name: 'DOCKER-USER' },
    { family: 'inet', table: 'mine', name: 'fwd.net1', policy: 'drop', ...base },
    { family: 'inet', table: 'other', name: 'forward', policy: 'accept', ...base },
    { family: 'ip', table: 'filter', name: 'INPUT', policy: 'drop', type: 'filter', hook: 'input' },
  ];
  expect(obstaclesAmong(chains, 'mine', 'net1')).toEqual([
    {
      family: 'ip',
      table: 'filter',
      chain: 'FORWARD',
      warning:
        'Chain "FORWARD" of nft table "ip filter" (Docker) drops forwarded packets, also those of network "net1"; ' +
        'allow them with: nft insert rule ip filter DOCKER-USER iifname "net1" accept; ' +
        'nft insert rule ip filter DOCKER-USER oifname "net1" accept',
    },
  ]);
});
