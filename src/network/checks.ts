import { interfaceNameProblem } from '#base/names.ts';
import { type Family, networkOf, parseAddress, parseCidr, parseRange } from './ip-address.ts';

/** Checks of values: each says why a value is refused, or undefined when it is good. */
export type Check = (value: string) => string | undefined;

/** Members of a comma-separated list, trimmed; empty ones are kept so that checks see them. */
export function listOf(value: string): readonly string[] {
  return value.split(',').map(part => part.trim());
}

export function each(check: Check): Check {
  return value => {
    for (const part of listOf(value)) {
      const problem = check(part);
      if (problem !== undefined) return `${problem} ("${part}")`;
    }
    return undefined;
  };
}

export function address(family: Family): Check {
  return value => (parseAddress(value, family) ? undefined : `must be an IPv${String(family)} address`);
}

/** ADDRESS/LENGTH with an address that a host may have. */
export function hostCidr(family: Family): Check {
  return value => {
    const cidr = parseCidr(value, family);
    if (!cidr) return `must be an IPv${String(family)} address with prefix length, such as ${examples[family]}`;
    const widest = family === 4 ? 31 : 127;
    if (cidr.prefixLength > widest) return `must leave room for hosts: a prefix length of at most ${String(widest)}`;
    if (cidr.prefixLength < 1) return 'must have a prefix length of at least 1';
    if (networkOf(cidr).value === cidr.value) return 'must be the address of a host, not that of the network';
    return undefined;
  };
}
const examples = { 4: '10.1.2.1/24', 6: 'fd42:1:2:3::1/64' } as const;

/** A subnet without host bits. */
export function subnet(family: Family): Check {
  return value => {
    const cidr = parseCidr(value, family);
    if (!cidr) return `must be an IPv${String(family)} subnet such as ${family === 4 ? '10.1.2.0/24' : 'fd42::/64'}`;
    return networkOf(cidr).value === cidr.value ? undefined : 'must not have bits set outside of its prefix';
  };
}

export function range(family: Family): Check {
  return value =>
    parseRange(value, family) ? undefined : `must be a range of IPv${String(family)} addresses such as FIRST-LAST`;
}

export function orWords(words: readonly string[], check: Check): Check {
  return value => (words.includes(value) ? undefined : check(value));
}

/** Labels of letters, digits, dashes and underscores, joined by dots. */
export function domain(value: string): string | undefined {
  if (value.length > 253) return 'must be at most 253 characters long';
  const label = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
  return value.split('.').every(part => label.test(part)) ? undefined : 'must be a domain name such as "lxd"';
}

/** Name of a DNS zone, such as "lab.example.net" or "2.0.192.in-addr.arpa". */
export function zoneName(value: string): string | undefined {
  return domain(value) === undefined ? undefined : 'must be a domain name such as "lab.example.net"';
}

/** A unicast MAC address with colons. */
export function hardwareAddress(value: string): string | undefined {
  if (!/^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/.test(value)) return 'must be a MAC address such as 00:16:3e:01:02:03';
  return Number.parseInt(value.slice(0, 2), 16) & 1 ? 'must not be a multicast MAC address' : undefined;
}

/** Name of an access list: letters, digits and hyphens, no digit first. */
export function aclName(value: string): string | undefined {
  if (value.length > 63) return 'must be at most 63 characters long';
  if (value.startsWith('@')) return 'must not start with the reserved character "@"';
  if (/^\d/.test(value)) return 'must not start with a number';
  return /^[A-Za-z][A-Za-z0-9-]*$/.test(value) ? undefined : 'can only hold letters, digits and hyphens';
}

export function anyAddress(value: string): string | undefined {
  return parseAddress(value) ? undefined : 'must be an IP address';
}

export function interfaceName(value: string): string | undefined {
  return interfaceNameProblem(value);
}

/** A time that dnsmasq grants leases for: seconds, or a number with s, m, h, d or w; "infinite" has no end. */
export function leaseTime(value: string): string | undefined {
  if (value === 'infinite') return undefined;
  return /^[1-9]\d{0,8}[smhdw]?$/.test(value) ? undefined : 'must be a time such as 30m, 1h or 2d, or "infinite"';
}
