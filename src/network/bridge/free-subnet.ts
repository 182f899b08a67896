import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import { type Cidr, type Family, formatCidr, overlaps, parseAddress, parseCidr } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';

/** Subnets that the host uses: of its links and its routes, the default routes aside. */
export async function usedSubnets(kernel: NetworkKernel): Promise<readonly Cidr[]> {
  const ofLinks = kernel
    .links()
    .flatMap(link => link.addresses)
    .flatMap(({ address, prefixLength }) => parseCidr(`${address}/${String(prefixLength)}`) ?? []);
  const ipv4 = parseIpv4Routes(await readFile('/proc/net/route', 'utf8').catch(() => ''));
  const ipv6 = parseIpv6Routes(await readFile('/proc/net/ipv6_route', 'utf8').catch(() => ''));
  return [...ofLinks, ...ipv4, ...ipv6];
}

/** /proc/net/route: little-endian hexadecimal destination in column 2, mask in column 8. */
export function parseIpv4Routes(text: string): readonly Cidr[] {
  return text.split('\n').flatMap(line => {
    const columns = line.trim().split(/\s+/);
    const [, destination = '', , , , , , mask = ''] = columns;
    if (!/^[0-9A-F]{8}$/i.test(destination) || !/^[0-9A-F]{8}$/i.test(mask)) return [];
    const prefixLength = BigInt(`0x${mask}`).toString(2).replaceAll('0', '').length;
    const value = BigInt(`0x${destination.match(/../g)?.reverse().join('') ?? '0'}`);
    return prefixLength === 0 ? [] : [{ family: 4, value, prefixLength }];
  });
}

/** /proc/net/ipv6_route: destination and prefix length, both hexadecimal, in columns 1 and 2. */
export function parseIpv6Routes(text: string): readonly Cidr[] {
  return text.split('\n').flatMap(line => {
    const [destination = '', length = ''] = line.trim().split(/\s+/);
    if (!/^[0-9a-f]{32}$/i.test(destination) || !/^[0-9a-f]{2}$/i.test(length)) return [];
    const prefixLength = Number.parseInt(length, 16);
    return prefixLength === 0 ? [] : [{ family: 6, value: BigInt(`0x${destination}`), prefixLength }];
  });
}

/** The bridge's address in a random private subnet that nothing in `used` touches: 10.x.y.1/24 or fd42:x:y:z::1/64. */
export function chooseSubnet(
  family: Family,
  used: readonly Cidr[],
  random: (size: number) => Buffer = randomBytes,
): string {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    const candidate = family === 4 ? ipv4Candidate(random(2), attempt) : ipv6Candidate(random(6));
    if (!used.some(subnet => overlaps(subnet, candidate))) return formatCidr(candidate);
  }
  throw new ApiError(
    'failed-precondition',
    `Cannot find a free IPv${String(family)} subnet; set "ipv${String(family)}.address" to one`,
  );
}

function ipv4Candidate(bytes: Buffer, attempt: number): Cidr {
  const [second = 0, third = 0] = bytes;
  // the whole of 10.0.0.0/8 may be somebody's: then 172.16.0.0/12 and 192.168.0.0/16
  const text =
    attempt < 600
      ? `10.${String(second)}.${String(third)}.1`
      : attempt < 800
        ? `172.${String(16 + (second % 16))}.${String(third)}.1`
        : `192.168.${String(third)}.1`;
  return { family: 4, value: parseAddress(text, 4)?.value ?? 0n, prefixLength: 24 };
}

function ipv6Candidate(bytes: Buffer): Cidr {
  const value = (0xfd42n << 112n) + (BigInt(`0x${bytes.toString('hex')}`) << 64n) + 1n;
  return { family: 6, value, prefixLength: 64 };
}
