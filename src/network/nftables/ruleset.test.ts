import { expect, test } from 'vitest';
import { bridgeSettings } from '../bridge/settings.ts';
import { noPolicies } from '../driver.ts';
import { renderReplacement } from './chain.ts';
import { networkChainNames, networkChains } from './ruleset.ts';

const base = { 'ipv4.address': '10.1.2.1/24', 'ipv6.address': 'fd42:1:2:3::1/64' };

function rulesOf(config: Readonly<Record<string, string>>): Readonly<Record<string, readonly string[]>> {
  const chains = networkChains(bridgeSettings('net1', config), noPolicies);
  return Object.fromEntries(chains.map(({ name, rules }) => [name, rules]));
}

test('a network is replaced whole in one transaction', () => {
  const settings = bridgeSettings('net1', {
    'ipv4.address': '10.1.2.1/24',
    'ipv4.nat': 'true',
    'ipv4.firewall': 'false',
  });
  const names = networkChainNames('net1');
  expect(renderReplacement('inet', 'lxd_like', names, networkChains(settings, noPolicies))).toBe(
    [
      'add table inet lxd_like',
      ...names.map(name => `add chain inet lxd_like ${name}`),
      ...names.map(name => `flush chain inet lxd_like ${name}`),
      ...names.map(name => `delete chain inet lxd_like ${name}`),
      'table inet lxd_like {',
      '  chain pstrt.net1 {',
      '    type nat hook postrouting priority srcnat; policy accept;',
      '    ip saddr 10.1.2.0/24 ip daddr != 10.1.2.0/24 masquerade',
      '  }',
      '}',
      '',
    ].join('\n'),
  );
});

test('addresses, routing and DHCP decide about rules', () => {
  const rules = rulesOf({ ...base, 'ipv6.nat': 'true', 'ipv6.nat.address': 'fd00::2', 'ipv6.routing': 'false' });
  expect(rules['pstrt.net1']).toEqual(['ip6 saddr fd42:1:2:3::/64 ip6 daddr != fd42:1:2:3::/64 snat ip6 to fd00::2']);
  expect(rules['fwd.net1']).toEqual([
    'ip version 4 oifname "net1" accept',
    'ip version 4 iifname "net1" accept',
    'ip6 version 6 oifname "net1" reject',
    'ip6 version 6 iifname "net1" reject',
  ]);
  expect(rulesOf({ ...base, 'ipv4.dhcp': 'false', 'ipv6.dhcp': 'false' })['in.net1']).toEqual([
    'iifname "net1" tcp dport 53 accept',
    'iifname "net1" udp dport 53 accept',
  ]);
});

test('a network without addresses has no rules', () => {
  expect(rulesOf({})).toEqual({});
});
