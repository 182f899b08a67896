import { isIPv4, isIPv6 } from 'node:net';

export type Family = 4 | 6;

/** An address as a number, so that subnets can be computed with. */
export interface IpAddress {
  readonly family: Family;
  readonly value: bigint;
}

/** An address with the length of its network's prefix, such as 10.1.2.1/24. */
export interface Cidr extends IpAddress {
  readonly prefixLength: number;
}

const bitsOf = { 4: 32, 6: 128 } as const;

/** Undefined for anything but a plain IPv4 or IPv6 address; zones ("%eth0") are refused. */
export function parseAddress(text: string, family?: Family): IpAddress | undefined {
  if (isIPv4(text) && family !== 6) {
    return { family: 4, value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  }
  if (isIPv6(text) && !text.includes('%') && family !== 4) return { family: 6, value: parseGroups(text) };
  return undefined;
}

function parseGroups(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let plain = text;
  if (dotted) {
    const tail = parseAddress(dotted[2] ?? '', 4)?.value ?? 0n;
    plain = `${dotted[1] ?? ''}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const [head = '', rest] = plain.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = rest === undefined ? [] : groups(rest);
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...middle, ...right].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

/** Canonical text; IPv6 as RFC 5952 asks. */
export function formatAddress({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map(shift => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const zeros = longestZeros(groups);
  if (!zeros) return groups.join(':');
  return `${groups.slice(0, zeros.start).join(':')}::${groups.slice(zeros.start + zeros.length).join(':')}`;
}

function longestZeros(groups: readonly string[]): { readonly start: number; readonly length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === '0') length += 1;
    if (length > 1 && length > (best?.length ?? 0)) best = { start, length };
  }
  return best;
}

/** Undefined unless the text is ADDRESS/PREFIXLENGTH. */
export function parseCidr(text: string, family?: Family): Cidr | undefined {
  const match = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/.exec(text);
  const address = match && parseAddress(match[1] ?? '', family);
  if (!address) return undefined;
  const prefixLength = Number(match[2]);
  return prefixLength <= bitsOf[address.family] ? { ...address, prefixLength } : undefined;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr)}/${String(cidr.prefixLength)}`;
}

/** First address of the subnet: all host bits are zero. */
export function networkOf({ family, value, prefixLength }: Cidr): Cidr {
  const hostBits = BigInt(bitsOf[family] - prefixLength);
  return { family, prefixLength, value: (value >> hostBits) << hostBits };
}

/** Last address of the subnet: for IPv4 the broadcast address. */
export function lastOf(cidr: Cidr): IpAddress {
  const size = 1n << BigInt(bitsOf[cidr.family] - cidr.prefixLength);
  return { family: cidr.family, value: networkOf(cidr).value + size - 1n };
}

export function contains(subnet: Cidr, address: IpAddress): boolean {
  if (subnet.family !== address.family) return false;
  return address.value >= networkOf(subnet).value && address.value <= lastOf(subnet).value;
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  return contains(one, networkOf(other)) || contains(other, networkOf(one));
}

/** Parses "FIRST-LAST"; undefined unless both are addresses of the family in ascending order. */
export function parseRange(text: string, family: Family): readonly [IpAddress, IpAddress] | undefined {
  const [from = '', to = '', ...more] = text.split('-');
  const first = parseAddress(from.trim(), family);
  const last = parseAddress(to.trim(), family);
  return first && last && more.length === 0 && first.value <= last.value ? [first, last] : undefined;
}

/** The address that SLAAC gives to a link with this MAC (RFC 4291, modified EUI-64); undefined unless the prefix is 64 bits. */
export function slaacAddress(subnet: Cidr, hardwareAddress: string): IpAddress | undefined {
  const bytes = hardwareAddress.split(':').map(byte => Number.parseInt(byte, 16));
  if (subnet.family !== 6 || subnet.prefixLength !== 64 || bytes.length !== 6) return undefined;
  const identifier = [(bytes[0] ?? 0) ^ 2, ...bytes.slice(1, 3), 0xff, 0xfe, ...bytes.slice(3)];
  const low = identifier.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return { family: 6, value: networkOf(subnet).value + low };
}
