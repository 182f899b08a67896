import { afterEach, expect, test } from 'vitest';
import { runCommand } from '#base/run-command.ts';
import { bridgeSettings } from '../bridge/settings.ts';
import { type NetworkPolicies, noPolicies } from '../driver.ts';
import { parseCidr } from '../ip-address.ts';
import { ensureNicFilter, removeNicFilter } from '../nic-filter.ts';
import { bridgeWithLists, filteredNic, plainBridge } from '../testing/stock-rules.ts';
import { ensureChains, hasChains, removeChains } from './firewall.ts';
import { networkChainNames, networkChains } from './ruleset.ts';

const table = `test_rules_${String(process.pid)}`;
const names = networkChainNames('br0');
const config = {
  'ipv4.address': '10.9.8.1/24',
  'ipv6.address': 'fd42:1:2:3::1/64',
  'ipv4.nat': 'true',
  'ipv6.nat': 'true',
};

afterEach(async () => {
  await removeChains('inet', table, names);
  expect((await runCommand('nft', ['list', 'tables'])).stdout).not.toContain(table);
});

async function listing(): Promise<string> {
  const { stdout } = await runCommand('nft', ['list', 'table', 'inet', table]);
  return stdout.replace(table, 'TABLE');
}

const rule = { action: 'allow', state: 'enabled' };
const policies: NetworkPolicies = {
  acls: {
    subnets: {},
    lists: [
      {
        name: 'web',
        ingress: [
          { ...rule, source: '10.0.0.0/8,192.168.1.1', protocol: 'tcp', destination_port: '80,443,8000-8010' },
          { ...rule, source: '10.1.0.0/16,fd00::/8', protocol: 'tcp', destination_port: '81' },
          { action: 'reject', state: 'logged', protocol: 'icmp4', icmp_type: '8', icmp_code: '0' },
          { action: 'reject', state: 'enabled', protocol: 'icmp4' },
          { action: 'drop', state: 'enabled', protocol: 'icmp6', icmp_type: '128' },
          { ...rule, state: 'logged' },
          { ...rule, source: '192.168.1.0/24,10.0.0.1-10.0.0.9,fd00::1-fd00::9' },
          { ...rule, destination: 'fd42:1:2:3::7' },
        ],
        egress: [
          {
            action: 'drop',
            state: 'logged',
            destination: '2001:db8::/32,10.1.0.0/16',
            protocol: 'udp',
            source_port: '53',
            destination_port: '1-100',
          },
          { action: 'reject', state: 'enabled', destination: '2001:db8::/32', protocol: 'udp' },
          { action: 'reject', state: 'enabled', destination: '10.2.0.0/16' },
          { action: 'reject', state: 'enabled', protocol: 'tcp' },
          { ...rule, source: '10.0.0.1', state: 'disabled' },
          rule,
        ],
      },
      {
        name: 'other',
        ingress: [{ action: 'drop', state: 'enabled', protocol: 'tcp', destination_port: '22' }],
        egress: [{ ...rule, protocol: 'tcp', destination_port: '22' }],
      },
    ],
  },
  forwards: [
    {
      ...{ description: '', location: 'none', listen_address: '192.0.2.2' },
      config: { target_address: '10.9.8.7' },
      ports: [
        { description: '', protocol: 'tcp', listen_port: '80', target_port: '', target_address: '10.9.8.8' },
        { description: '', protocol: 'tcp', listen_port: '443', target_port: '444', target_address: '10.9.8.8' },
      ],
    },
    {
      ...{ description: '', location: 'none', listen_address: '2001:db8::5' },
      config: { target_address: 'fd42:1:2:3::9' },
      ports: [
        { description: '', protocol: 'tcp', listen_port: '80', target_port: '', target_address: 'fd42:1:2:3::8' },
      ],
    },
  ],
};

test('the rules of a network are those of LXD, and a later change replaces them whole', async () => {
  const lists = { 'security.acls': 'web,other', 'security.acls.default.ingress.action': 'drop' };
  const logged = { 'security.acls.default.ingress.logged': 'true', 'security.acls.default.egress.logged': 'true' };
  const more = { ...config, ...lists, ...logged, 'security.acls.default.egress.action': 'allow' };
  const chains = networkChains(bridgeSettings('br0', more), policies);
  await ensureChains('inet', table, names, chains);
  expect(await listing()).toBe(bridgeWithLists);
  expect(await hasChains('inet', table, names, chains)).toBe(true);
  const plain = networkChains(bridgeSettings('br0', config), noPolicies);
  expect(await hasChains('inet', table, names, plain)).toBe(false);
  await ensureChains('inet', table, names, plain);
  expect(await listing()).toBe(plainBridge);
});

test('overlapping sources are one set', async () => {
  const acls = {
    subnets: {},
    lists: [{ name: 'a', egress: [], ingress: [{ ...rule, source: '10.0.0.0/8,10.1.0.0/16' }] }],
  };
  const settings = bridgeSettings('br0', { ...config, 'security.acls': 'a' });
  await ensureChains('inet', table, names, networkChains(settings, { acls, forwards: [] }));
  expect(await listing()).toMatch(/ip saddr (\{ )?10\.0\.0\.0\/8 (\} )?accept/);
});

test('a NIC has the rules of LXD in their order, and some more', async () => {
  const nic = { instance: 'c1', device: 'eth0', hostInterface: 'veth1', hardwareAddress: '00:16:3e:20:e5:8d' };
  const cidr = (text: string): NonNullable<Parameters<typeof ensureNicFilter>[1]['ipv4']> =>
    [parseCidr(text)].flatMap(found => found ?? []);
  await ensureNicFilter(table, { ...nic, ipv4: cidr('10.9.8.7/32'), ipv6: cidr('fd42:1:2:3::7/128') });
  try {
    const { stdout } = await runCommand('nft', ['list', 'chain', 'bridge', table, 'in.c1.eth0']);
    const rules = stdout.split('\n').flatMap(line => /iifname "veth1" (.*)/.exec(line)?.[1] ?? []);
    expect(rules.filter(text => filteredNic.includes(text))).toEqual(filteredNic);
    expect(rules).toHaveLength(filteredNic.length + 4);
  } finally {
    await removeNicFilter(table, nic);
  }
});
