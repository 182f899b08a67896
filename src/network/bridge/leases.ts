import type { NetworkLease } from '#api/network.ts';
import type { NicReservation } from '../driver.ts';
import type { DnsmasqLease } from '../dnsmasq/leases.ts';
import { formatAddress, parseAddress, slaacAddress } from '../ip-address.ts';
import type { BridgeSettings } from './settings.ts';

/** All addresses that are known of a network: the gateway's, those of NICs and those that dnsmasq has leased. */
export function bridgeLeases(
  settings: BridgeSettings,
  nics: readonly NicReservation[],
  leased: readonly DnsmasqLease[],
): readonly NetworkLease[] {
  const lease = (hostname: string, hwaddr: string, address: string, type: NetworkLease['type']): NetworkLease => ({
    hostname,
    hwaddr,
    address,
    type,
    location: type === 'gateway' ? '' : 'none',
  });
  const gateways = [settings.ipv4, settings.ipv6].flatMap(family =>
    family ? [lease(`${settings.name}.gw`, '', formatAddress(family.address), 'gateway')] : [],
  );
  const fixed = nics.flatMap(({ hostName, hardwareAddress, ipv4Address, ipv6Address }) =>
    [ipv4Address, ipv6Address].flatMap(text => {
      const address = parseAddress(text ?? '');
      return address ? [lease(hostName, hardwareAddress, formatAddress(address), 'static')] : [];
    }),
  );
  const dynamic = leased.map(({ hostName, hardwareAddress, address }) =>
    lease(nameOf(nics, hardwareAddress) ?? hostName, hardwareAddress, address, 'dynamic'),
  );
  const { ipv6 } = settings;
  const derived = nics.flatMap(({ hostName, hardwareAddress, ipv6Address }) => {
    const address = ipv6 && !ipv6.stateful && slaacAddress(ipv6.address, hardwareAddress);
    return address && !ipv6Address ? [lease(hostName, hardwareAddress, formatAddress(address), 'dynamic')] : [];
  });
  const seen = new Set<string>();
  return [...gateways, ...fixed, ...dynamic, ...derived].filter(({ address }) => {
    if (seen.has(address)) return false;
    seen.add(address);
    return true;
  });
}

/** Leases are an instance's by its hardware address, whatever its guest calls itself. */
function nameOf(nics: readonly NicReservation[], hardwareAddress: string): string | undefined {
  return nics.find(nic => nic.hardwareAddress.toLowerCase() === hardwareAddress)?.hostName;
}
