import type { NetworkAclRule } from '#api/network-acl.ts';
import type { BridgeSettings } from '../bridge/settings.ts';
import { listOf } from '../checks.ts';
import type { AclPolicies } from '../driver.ts';
import { formatCidr, networkOf } from '../ip-address.ts';
import { type AddressMatch, matchesOf, type SubjectNames } from './acl-subjects.ts';
import type { Chain } from './chain.ts';
import { neededIcmp } from './needed-icmp.ts';
import { formatPorts, parsePorts } from './port-list.ts';

type Direction = 'ingress' | 'egress';

const verdicts = { drop: 'drop', reject: 'reject', allow: 'accept' } as const;

/** Chains for the access lists of a network, LXD's rules in LXD's order; none when it has no list. */
export function aclChains(settings: BridgeSettings, policies: AclPolicies): readonly Chain[] {
  if (settings.acls.length === 0) return [];
  const { name } = settings;
  const from = `iifname "${name}"`;
  const to = `oifname "${name}"`;
  const input = [
    ...['tcp dport 53', 'udp dport 53', 'udp dport 67', 'udp dport 547'].map(match => `${match} accept`),
    neededIcmp.in,
    neededIcmp.in6,
    `jump acl.${name}`,
  ];
  const output = [
    ...['udp sport 67', 'udp sport 547'].map(match => `${match} accept`),
    neededIcmp.out,
    neededIcmp.out6,
    `jump acl.${name}`,
  ];
  const hook = (kind: string): string => `filter hook ${kind} priority filter`;
  return [
    { name: `acl.${name}`, rules: listRules(settings, policies) },
    { name: `aclin.${name}`, hook: hook('input'), rules: input.map(rule => `${from} ${rule}`) },
    { name: `aclout.${name}`, hook: hook('output'), rules: output.map(rule => `${to} ${rule}`) },
    { name: `aclfwd.${name}`, hook: hook('forward'), rules: [from, to].map(match => `${match} jump acl.${name}`) },
  ];
}

/** Drops come before rejects before accepts, whatever the order in the lists; what no rule matches has the default. */
function listRules(settings: BridgeSettings, { lists, subnets }: AclPolicies): readonly string[] {
  const internal = [settings.ipv4, settings.ipv6].flatMap(family =>
    family ? [formatCidr(networkOf(family.address))] : [],
  );
  const names = { internal, lists: subnets };
  const rules = (['drop', 'reject', 'allow'] as const).flatMap(action =>
    lists.flatMap(list =>
      (['ingress', 'egress'] as const).flatMap(direction =>
        list[direction].flatMap((rule, index) => {
          if (rule.action !== action || rule.state === 'disabled') return [];
          const log = rule.state === 'logged' ? `log prefix "${settings.name}-${direction}-${String(index)} " ` : '';
          return renderRule(settings.name, direction, rule, names).map(match => `${match}${log}${verdicts[action]}`);
        }),
      ),
    ),
  );
  return ['ct state established,related accept', ...rules, ...defaultRules(settings)];
}

function defaultRules({ name, aclDefaults }: BridgeSettings): readonly string[] {
  return (['egress', 'ingress'] as const).map(direction => {
    const { action, logged } = aclDefaults[direction];
    const log = logged ? `log prefix "${name}-${direction} " ` : '';
    return `${interfaceOf(name, direction)}${log}${verdicts[action]}`;
  });
}

/** "ingress" is what comes to the instances. */
function interfaceOf(network: string, direction: Direction): string {
  return direction === 'ingress' ? `oifname "${network}" ` : `iifname "${network}" `;
}

/** The matches that together are one rule, each ending in a space. */
function renderRule(
  network: string,
  direction: Direction,
  rule: NetworkAclRule,
  names: SubjectNames,
): readonly string[] {
  const start = interfaceOf(network, direction);
  const transport = transportMatch(rule);
  const only = rule.protocol === 'icmp4' ? 4 : rule.protocol === 'icmp6' ? 6 : undefined;
  const sources = rule.source ? matchesOf(listOf(rule.source), names) : [undefined];
  const targets = rule.destination ? matchesOf(listOf(rule.destination), names) : [undefined];
  return sources.flatMap(source =>
    targets.flatMap(target => {
      const family = source?.family ?? target?.family;
      if ((target && family !== target.family) || (only && family && family !== only)) return [];
      return [`${start}${addressMatch('saddr', source)}${addressMatch('daddr', target)}${transport}`];
    }),
  );
}

function addressMatch(side: 'saddr' | 'daddr', match: AddressMatch | undefined): string {
  if (!match) return '';
  const { family, addresses, negated } = match;
  if (addresses.length === 0) return `meta nfproto ipv${String(family)} `;
  return `${family === 4 ? 'ip' : 'ip6'} ${side} ${negated ? '!= ' : ''}${oneOf(addresses)} `;
}

function transportMatch(rule: NetworkAclRule): string {
  const { protocol = '', icmp_type: type, icmp_code: code } = rule;
  if (protocol === '') return '';
  if (protocol === 'icmp4' || protocol === 'icmp6') {
    const word = protocol === 'icmp4' ? 'icmp' : 'icmpv6';
    const start = protocol === 'icmp4' ? 'ip protocol icmp ' : 'ip6 nexthdr icmpv6 ';
    return `${start}${type ? `${word} type ${type} ` : ''}${code ? `${word} code ${code} ` : ''}`;
  }
  const ports = (side: string, text: string | undefined): string =>
    text ? `${protocol} ${side} ${oneOf(formatPorts(parsePorts(text) ?? []))} ` : '';
  const both = ports('sport', rule.source_port) + ports('dport', rule.destination_port);
  return both === '' ? `meta l4proto ${protocol} ` : both;
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? '') : `{ ${values.join(', ')} }`;
}
