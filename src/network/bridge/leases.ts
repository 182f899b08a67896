import type { NetworkLease } from '#api/network.ts';
import type { DnsmasqLease, HostEntry } from '../dnsmasq/leases.ts';
import { formatAddress, slaacAddress } from '../ip-address.ts';
import type { BridgeSettings } from './settings.ts';

/** All addresses that are known of a network: the gateway's, those of NICs and those that dnsmasq has leased. */
export function bridgeLeases(
  settings: BridgeSettings,
  hosts: readonly HostEntry[],
  leased: readonly DnsmasqLease[],
): readonly NetworkLease[] {
  const lease = (hostname: string, hwaddr: string, address: string, type: NetworkLease['type']): NetworkLease => ({
    hostname,
    hwaddr,
    address,
    type,
    location: 'none',
  });
  const own = settings.hardwareAddress ?? '';
  const gateways = [settings.ipv4, settings.ipv6].flatMap(family =>
    family ? [lease(`${settings.name}.gw`, own, formatAddress(family.address), 'gateway')] : [],
  );
  const fixed = hosts.flatMap(({ name, hardwareAddress, addresses }) =>
    addresses.map(address => lease(name ?? '', hardwareAddress, address, 'static')),
  );
  const dynamic = leased.map(({ hostName, hardwareAddress, address }) =>
    lease(hostName, hardwareAddress, address, 'dynamic'),
  );
  const { ipv6 } = settings;
  const derived = hosts.flatMap(({ name, hardwareAddress, addresses }) => {
    const address = ipv6 && !ipv6.stateful && slaacAddress(ipv6.address, hardwareAddress);
    if (!address || addresses.includes(formatAddress(address))) return [];
    return [lease(name ?? '', hardwareAddress, formatAddress(address), 'dynamic')];
  });
  const seen = new Set<string>();
  return [...gateways, ...fixed, ...dynamic, ...derived].filter(({ address }) => {
    if (seen.has(address)) return false;
    seen.add(address);
    return true;
  });
}
