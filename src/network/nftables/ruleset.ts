import type { BridgeSettings, FamilySettings } from '../bridge/settings.ts';
import { formatAddress, formatCidr, networkOf } from '../ip-address.ts';

/** Chains of a network in family inet, named as LXD names them. */
export function networkChains(network: string): readonly string[] {
  return [`pstrt.${network}`, `fwd.${network}`, `in.${network}`, `out.${network}`];
}

/** Replaces all rules of a network; one transaction for `nft -f -`. */
export function renderNetwork(table: string, settings: BridgeSettings): string {
  const chains = [natChain(settings), forwardChain(settings), inputChain(settings), outputChain(settings)];
  const kept = chains.filter(chain => chain !== '');
  const made = kept.length > 0 ? `table inet ${table} {\n${kept.join('\n')}}\n` : '';
  return renderRemoval(table, networkChains(settings.name)) + made;
}

/** Removes chains whether they exist or not: `add` first, because nft before 1.0.7 has no `destroy`. */
export function renderRemoval(table: string, chains: readonly string[]): string {
  const lines = chains.flatMap(chain => [`add chain inet ${table} ${chain}`, `delete chain inet ${table} ${chain}`]);
  return [`add table inet ${table}`, ...lines, ''].join('\n');
}

function families(settings: BridgeSettings): readonly FamilySettings[] {
  return [settings.ipv4, settings.ipv6].filter(family => family !== undefined);
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  if (rules.length === 0) return '';
  return `  chain ${name} {\n    type ${hook}; policy accept;\n${rules.map(rule => `    ${rule}\n`).join('')}  }\n`;
}

function natChain(settings: BridgeSettings): string {
  const rules = families(settings)
    .filter(family => family.nat)
    .map(({ family, address, natAddress }) => {
      const ip = family === 4 ? 'ip' : 'ip6';
      const subnet = formatCidr(networkOf(address));
      const target = natAddress ? `snat ${ip} to ${formatAddress(natAddress)}` : 'masquerade';
      return `${ip} saddr ${subnet} ${ip} daddr != ${subnet} ${target}`;
    });
  return chain(`pstrt.${settings.name}`, 'nat hook postrouting priority srcnat', rules);
}

function forwardChain(settings: BridgeSettings): string {
  const rules = families(settings)
    .filter(family => family.firewall)
    .flatMap(({ family, routing }) => {
      const match = `meta nfproto ipv${String(family)}`;
      const verdict = routing ? 'accept' : 'reject';
      return ['oifname', 'iifname'].map(side => `${match} ${side} "${settings.name}" ${verdict}`);
    });
  return chain(`fwd.${settings.name}`, 'filter hook forward priority filter', rules);
}

const icmpTypes = '{ 3, 11, 12 }';

/** What guests need from the host: DNS, DHCP and the ICMP that IP cannot do without (RFC 4890). */
function inputChain(settings: BridgeSettings): string {
  const guarded = families(settings).filter(family => family.firewall);
  if (guarded.length === 0) return '';
  const from = `iifname "${settings.name}"`;
  const rules = [`${from} tcp dport 53 accept`, `${from} udp dport 53 accept`];
  for (const { family } of guarded) {
    if (family === 4) rules.push(`${from} icmp type ${icmpTypes} accept`, `${from} udp dport 67 accept`);
    else {
      rules.push(`${from} icmpv6 type { 1, 2, 3, 4, 133, 135, 136, 143 } accept`, `${from} udp dport 547 accept`);
    }
  }
  return chain(`in.${settings.name}`, 'filter hook input priority filter', rules);
}

function outputChain(settings: BridgeSettings): string {
  const guarded = families(settings).filter(family => family.firewall);
  if (guarded.length === 0) return '';
  const to = `oifname "${settings.name}"`;
  const rules = [`${to} tcp sport 53 accept`, `${to} udp sport 53 accept`];
  for (const { family } of guarded) {
    if (family === 4) rules.push(`${to} icmp type ${icmpTypes} accept`, `${to} udp sport 67 accept`);
    else {
      rules.push(`${to} icmpv6 type { 1, 2, 3, 4, 128, 134, 135, 136, 143 } accept`, `${to} udp sport 547 accept`);
    }
  }
  return chain(`out.${settings.name}`, 'filter hook output priority filter', rules);
}
