import { type Cidr, formatAddress, formatCidr } from '../ip-address.ts';
import type { Chain } from './chain.ts';

/** What a NIC on a bridge may send. */
export interface NicFilter {
  /** containerId and device name, e.g. "c1" and "eth0" */
  readonly instance: string;
  readonly device: string;
  /** host end of the veth pair */
  readonly hostInterface: string;
  readonly hardwareAddress: string;
  /** the only sources of the family, none when empty; undefined = not filtered */
  readonly ipv4?: readonly Cidr[];
  readonly ipv6?: readonly Cidr[];
}

/** A NIC's chains in family bridge, named as LXD names them. */
export function nicChainNames({ instance, device }: Pick<NicFilter, 'instance' | 'device'>): readonly string[] {
  return [`in.${instance}.${device}`, `fwd.${instance}.${device}`];
}

/**
 * LXD's rules, and between them those that close what these leave open: a DHCP request for another's hardware address,
 * a neighbour advertisement for another's address, and offers of a DHCP server in the guest. An "accept" lets the rest
 * of a packet through unseen, so each stands after the drops that concern its kind.
 */
export function nicChains(filter: NicFilter): readonly Chain[] {
  const [input = '', forward = ''] = nicChainNames(filter);
  const lines = (hook: 'in' | 'fwd'): readonly string[] =>
    [...hardwareRules(filter), ...ipv4Rules(filter, hook), ...ipv6Rules(filter, hook), ...otherRules(filter)].map(
      rule => `iifname "${filter.hostInterface}" ${rule}`,
    );
  return [
    { name: input, hook: 'filter hook input priority filter', rules: lines('in') },
    { name: forward, hook: 'filter hook forward priority filter', rules: lines('fwd') },
  ];
}

function hardwareRules({ hardwareAddress: mac }: NicFilter): readonly string[] {
  return [
    `ether saddr != ${mac} drop`,
    `arp saddr ether != ${mac} drop`,
    // the option "target link-layer address" (RFC 4861, 4.4)
    `icmpv6 type nd-neighbor-advert @nh,528,48 != 0x${mac.replaceAll(':', '')} drop`,
  ];
}

function ipv4Rules({ ipv4, hardwareAddress }: NicFilter, hook: 'in' | 'fwd'): readonly string[] {
  if (!ipv4) return [];
  const none = ['ether type arp drop', 'ether type ip drop'];
  if (ipv4.length === 0) return none;
  const request = [
    // chaddr (RFC 2131): a lease is asked for under the NIC's own address only
    `udp dport 67 @th,288,48 != 0x${hardwareAddress.replaceAll(':', '')} drop`,
    'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp dport 67 accept',
  ];
  const own = ipv4.flatMap(source => [`arp saddr ip ${short(source)} accept`, `ip saddr ${short(source)} accept`]);
  return [...(hook === 'in' ? request : []), 'udp sport 67 udp dport 68 drop', ...own, ...none];
}

function ipv6Rules({ ipv6 }: NicFilter, hook: 'in' | 'fwd'): readonly string[] {
  if (!ipv6) return [];
  if (ipv6.length === 0) return ['ether type ip6 drop'];
  const request = [
    'ip6 saddr fe80::/10 ip6 daddr ff02::1:2 udp dport 547 accept',
    'ip6 saddr fe80::/10 ip6 daddr ff02::2 icmpv6 type nd-router-solicit accept',
  ];
  return [
    ...(hook === 'in' ? request : []),
    'icmpv6 type nd-router-advert drop',
    'udp sport 547 udp dport 546 drop',
    ...ipv6.map(source => `icmpv6 type nd-neighbor-advert ${target(source)} accept`),
    'icmpv6 type nd-neighbor-advert drop',
    ...ipv6.map(source => `ip6 saddr ${short(source)} accept`),
    'ether type ip6 drop',
  ];
}

/** With addresses filtered, nothing but IP passes: neither tagged frames nor other protocols. */
function otherRules({ ipv4, ipv6 }: NicFilter): readonly string[] {
  const some = (ipv4?.length ?? 0) + (ipv6?.length ?? 0) > 0;
  return some ? ['ether type != { arp, ip, ip6 } drop'] : [];
}

/** The beginning of the target address of a neighbour advertisement, as long as the prefix is. */
function target({ value, prefixLength }: Cidr): string {
  const digits = (value >> BigInt(128 - prefixLength)).toString(16).padStart(Math.ceil(prefixLength / 4), '0');
  return `@nh,384,${String(prefixLength)} 0x${digits}`;
}

function short(cidr: Cidr): string {
  return cidr.prefixLength === (cidr.family === 4 ? 32 : 128) ? formatAddress(cidr) : formatCidr(cidr);
}
