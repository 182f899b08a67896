import type { NicReservation } from '../driver.ts';
import type { DnsmasqLease, HostEntry } from '../dnsmasq/leases.ts';
import {
  contains,
  formatAddress,
  type IpAddress,
  lastOf,
  networkOf,
  parseAddress,
  slaacAddress,
} from '../ip-address.ts';
import type { BridgeSettings } from './settings.ts';

/** What dnsmasq is told of a NIC, and with that the only addresses it may use when they are filtered. */
export interface ReservedHost {
  readonly hardwareAddress: string;
  readonly ipv4: IpAddress | undefined;
  readonly ipv6: IpAddress | undefined;
  readonly name: string | undefined;
}

export interface KnownHosts {
  /** lines as they stand, by file name */
  readonly hosts: ReadonlyMap<string, HostEntry>;
  readonly leases: readonly DnsmasqLease[];
}

/** Key of a NIC: the name of its file. */
export function nicKey({ instance, device }: Pick<NicReservation, 'instance' | 'device'>): string {
  return `${instance}.${device}`;
}

/** Lines for all NICs: a NIC whose addresses are filtered keeps the ones it has, or gets free ones. */
export function planHosts(
  settings: BridgeSettings,
  nics: readonly NicReservation[],
  known: KnownHosts,
): ReadonlyMap<string, ReservedHost> {
  const fixed = nics.flatMap(({ ipv4Address, ipv6Address }) => [ipv4Address, ipv6Address]);
  const taken = new Set(fixed.flatMap(text => parseAddress(text ?? '') ?? []).map(formatAddress));
  const keys = new Set(nics.map(nicKey));
  for (const [key, { addresses }] of known.hosts) if (keys.has(key)) for (const one of addresses) taken.add(one);
  const planned = new Map<string, ReservedHost>();
  for (const nic of nics) {
    const kept = known.hosts.get(nicKey(nic))?.addresses.flatMap(text => parseAddress(text) ?? []) ?? [];
    const ipv4 =
      fixedAddress(nic.ipv4Address, 4) ?? (needs(nic, 4) ? freeIpv4(settings, nic, kept, known, taken) : undefined);
    const ipv6 = fixedAddress(nic.ipv6Address, 6) ?? (needs(nic, 6) ? derivedIpv6(settings, nic) : undefined);
    if (ipv4) taken.add(formatAddress(ipv4));
    const name = settings.dnsMode === 'managed' ? nic.hostName : undefined;
    planned.set(nicKey(nic), { hardwareAddress: nic.hardwareAddress, ipv4, ipv6, name });
  }
  return planned;
}

function needs(nic: NicReservation, family: 4 | 6): boolean {
  const [filtering, address] =
    family === 4 ? [nic.ipv4Filtering, nic.ipv4Address] : [nic.ipv6Filtering, nic.ipv6Address];
  return filtering === true && address !== 'none';
}

function fixedAddress(text: string | undefined, family: 4 | 6): IpAddress | undefined {
  return text === undefined ? undefined : parseAddress(text, family);
}

/** The address that is reserved already, else the one that is leased, else the first that nobody has. */
function freeIpv4(
  { ipv4 }: BridgeSettings,
  { hardwareAddress }: NicReservation,
  kept: readonly IpAddress[],
  { leases }: KnownHosts,
  taken: ReadonlySet<string>,
): IpAddress | undefined {
  if (!ipv4) return undefined;
  const before = kept.find(address => contains(ipv4.address, address));
  if (before) return before;
  const leased = leases.find(
    lease => lease.hardwareAddress === hardwareAddress.toLowerCase() && !lease.address.includes(':'),
  );
  if (leased && !taken.has(leased.address)) return parseAddress(leased.address, 4);
  const used = new Set([...taken, ...leases.map(({ address }) => address), formatAddress(ipv4.address)]);
  const network = networkOf(ipv4.address).value;
  const whole = [
    { family: 4, value: network + 1n },
    { family: 4, value: lastOf(ipv4.address).value - 1n },
  ] as const;
  for (const [first, last] of ipv4.dhcpRanges.length > 0 ? ipv4.dhcpRanges : [whole]) {
    for (let { value } = first; value <= last.value; value += 1n) {
      if (!used.has(formatAddress({ family: 4, value }))) return { family: 4, value };
    }
  }
  return undefined;
}

/** The address that the guest gives itself. */
function derivedIpv6({ ipv6 }: BridgeSettings, { hardwareAddress }: NicReservation): IpAddress | undefined {
  return ipv6 && slaacAddress(ipv6.address, hardwareAddress);
}
