import type { NetworkPolicies } from '../driver.ts';
import type { BridgeSettings, FamilySettings } from '../bridge/settings.ts';
import { formatAddress, formatCidr, networkOf } from '../ip-address.ts';
import { aclChains } from './acl-rules.ts';
import type { Chain } from './chain.ts';
import { forwardChains } from './forward-rules.ts';
import { neededIcmp } from './needed-icmp.ts';

/** All chains that a network may have in family inet, named as LXD names them. */
export function networkChainNames(network: string): readonly string[] {
  const kinds = ['acl', 'aclin', 'aclout', 'aclfwd', 'pstrt', 'fwd', 'in', 'out', 'fwdprert', 'fwdout', 'fwdpstrt'];
  return kinds.map(kind => `${kind}.${network}`);
}

/** The chains that a network has with these settings, with LXD's rules in LXD's order. */
export function networkChains(settings: BridgeSettings, policies: NetworkPolicies): readonly Chain[] {
  const own = [natChain(settings), forwardChain(settings), inputChain(settings), outputChain(settings)];
  return [
    ...aclChains(settings, policies.acls),
    ...own.filter(chain => chain.rules.length > 0),
    ...forwardChains(settings.name, policies.forwards),
  ];
}

function guarded(settings: BridgeSettings): readonly FamilySettings[] {
  return [settings.ipv4, settings.ipv6].filter(family => family !== undefined).filter(({ firewall }) => firewall);
}

function natChain(settings: BridgeSettings): Chain {
  const rules = [settings.ipv4, settings.ipv6]
    .filter(family => family !== undefined)
    .filter(family => family.nat)
    .map(({ family, address, natAddress }) => {
      const ip = family === 4 ? 'ip' : 'ip6';
      const subnet = formatCidr(networkOf(address));
      const target = natAddress ? `snat ${ip} to ${formatAddress(natAddress)}` : 'masquerade';
      return `${ip} saddr ${subnet} ${ip} daddr != ${subnet} ${target}`;
    });
  return { name: `pstrt.${settings.name}`, hook: 'nat hook postrouting priority srcnat', rules };
}

function forwardChain(settings: BridgeSettings): Chain {
  const rules = guarded(settings).flatMap(({ family, routing }) => {
    const match = family === 4 ? 'ip version 4' : 'ip6 version 6';
    const verdict = routing ? 'accept' : 'reject';
    return ['oifname', 'iifname'].map(side => `${match} ${side} "${settings.name}" ${verdict}`);
  });
  return { name: `fwd.${settings.name}`, hook: 'filter hook forward priority filter', rules };
}

function inputChain(settings: BridgeSettings): Chain {
  const from = `iifname "${settings.name}"`;
  const rules = serviceRules(settings, {
    dns: [`${from} tcp dport 53 accept`, `${from} udp dport 53 accept`],
    4: [`${from} ${neededIcmp.in}`, `${from} udp dport 67 accept`],
    6: [`${from} ${neededIcmp.in6}`, `${from} udp dport 547 accept`],
  });
  return { name: `in.${settings.name}`, hook: 'filter hook input priority filter', rules };
}

function outputChain(settings: BridgeSettings): Chain {
  const to = `oifname "${settings.name}"`;
  const rules = serviceRules(settings, {
    dns: [`${to} tcp sport 53 accept`, `${to} udp sport 53 accept`],
    4: [`${to} ${neededIcmp.out}`, `${to} udp sport 67 accept`],
    6: [`${to} ${neededIcmp.out6}`, `${to} udp sport 547 accept`],
  });
  return { name: `out.${settings.name}`, hook: 'filter hook output priority filter', rules };
}

/** Rules for what guests need of the host: DNS, and DHCP of the families that have it. */
function serviceRules(
  settings: BridgeSettings,
  rules: Readonly<Record<'dns' | 4 | 6, readonly string[]>>,
): readonly string[] {
  const families = guarded(settings);
  if (families.length === 0) return [];
  return [...rules.dns, ...families.filter(({ dhcp }) => dhcp).flatMap(({ family }) => rules[family])];
}
