import { expect, test } from 'vitest';
import type { NetworkAclRule } from '#api/network-acl.ts';
import { bridgeSettings } from '../bridge/settings.ts';
import { aclChains } from './acl-rules.ts';

const config = { 'ipv4.address': '10.9.8.1/24', 'ipv6.address': 'fd42:1:2:3::1/64', 'security.acls': 'web' };

function rulesOf(
  lists: { readonly ingress?: readonly NetworkAclRule[]; readonly egress?: readonly NetworkAclRule[] },
  more: Readonly<Record<string, string>> = {},
): readonly string[] {
  const list = { name: 'web', ingress: lists.ingress ?? [], egress: lists.egress ?? [] };
  const subnets = { other: ['10.7.0.0/24', 'fd77::/64'], none: [] };
  const chains = aclChains(bridgeSettings('br0', { ...config, ...more }), { lists: [list], subnets });
  return (chains.find(({ name }) => name === 'acl.br0')?.rules ?? []).slice(1, -2);
}

const allow = { action: 'allow', state: 'enabled' };

test('drops come first, then rejects, then accepts; disabled rules are left out', () => {
  const lists = {
    ingress: [allow, { action: 'reject', state: 'enabled', protocol: 'tcp' }, { ...allow, state: 'disabled' }],
    egress: [{ action: 'drop', state: 'logged' }],
  };
  expect(rulesOf(lists)).toEqual([
    'iifname "br0" log prefix "br0-egress-0 " drop',
    'oifname "br0" meta l4proto tcp reject',
    'oifname "br0" accept',
  ]);
});

test.each([
  [{ source: '10.0.0.0/8, 192.168.1.1' }, ['ip saddr { 10.0.0.0/8, 192.168.1.1 } accept']],
  [{ source: '10.1.0.0/16,fd00::/8' }, ['ip saddr 10.1.0.0/16 accept', 'ip6 saddr fd00::/8 accept']],
  [{ source: '10.0.0.1-10.0.0.9' }, ['ip saddr 10.0.0.1-10.0.0.9 accept']],
  [{ source: '10.0.0.1,fd00::1', destination: '10.0.0.2' }, ['ip saddr 10.0.0.1 ip daddr 10.0.0.2 accept']],
  [{ protocol: 'tcp', destination_port: '80,443,8000-8010' }, ['tcp dport { 80, 443, 8000-8010 } accept']],
  [{ protocol: 'udp', source_port: '53', destination_port: '1-100' }, ['udp sport 53 udp dport 1-100 accept']],
  [{ protocol: 'icmp4', icmp_type: '8', icmp_code: '0' }, ['ip protocol icmp icmp type 8 icmp code 0 accept']],
  [{ protocol: 'icmp6', source: '10.0.0.1,fd00::1' }, ['ip6 saddr fd00::1 ip6 nexthdr icmpv6 accept']],
  [{ source: '@internal' }, ['ip saddr 10.9.8.0/24 accept', 'ip6 saddr fd42:1:2:3::/64 accept']],
  [{ source: '@external' }, ['ip saddr != 10.9.8.0/24 accept', 'ip6 saddr != fd42:1:2:3::/64 accept']],
  [{ source: 'other' }, ['ip saddr 10.7.0.0/24 accept', 'ip6 saddr fd77::/64 accept']],
  [{ source: 'none' }, []],
])('%j', (rule, matches) => {
  expect(rulesOf({ ingress: [{ ...allow, ...rule }] })).toEqual(matches.map(match => `oifname "br0" ${match}`));
});

test('what no rule matches is rejected unless the defaults say otherwise', () => {
  const chain = (more: Readonly<Record<string, string>>): readonly string[] =>
    (aclChains(bridgeSettings('br0', { ...config, ...more }), { lists: [], subnets: {} })[0]?.rules ?? []).slice(-2);
  expect(chain({})).toEqual(['iifname "br0" reject', 'oifname "br0" reject']);
  const more = { 'security.acls.default.ingress.action': 'drop', 'security.acls.default.ingress.logged': 'true' };
  expect(chain({ ...more, 'security.acls.default.egress.action': 'allow' })).toEqual([
    'iifname "br0" accept',
    'oifname "br0" log prefix "br0-ingress " drop',
  ]);
});
