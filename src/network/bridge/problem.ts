import type { ConfigMap } from '#api/common.ts';
import { hasControlCharacters } from '#base/names.ts';
import { contains, parseAddress } from '../ip-address.ts';
import { bridgeSettings, type FamilySettings } from './settings.ts';

/** Why the values of a bridge's config do not go together, naming the key; each has passed its own check before. */
export function bridgeProblem(name: string, config: ConfigMap): string | undefined {
  const settings = bridgeSettings(name, config);
  if (settings.externalInterfaces.includes(name)) return '"bridge.external_interfaces" must not name the bridge itself';
  const gateway = settings.ipv4?.dhcpGateway;
  if (settings.ipv4 && gateway && !contains(settings.ipv4.address, gateway)) {
    return '"ipv4.dhcp.gateway" must be in the subnet of "ipv4.address"';
  }
  if (settings.ipv6?.stateful && !settings.ipv6.dhcp) return '"ipv6.dhcp.stateful" needs "ipv6.dhcp"';
  if (settings.ipv6 && !settings.ipv6.stateful && settings.ipv6.address.prefixLength !== 64) {
    return '"ipv6.address" must have a prefix length of 64 unless "ipv6.dhcp.stateful" is true';
  }
  if (hasControlCharacters(settings.rawDnsmasq.replace(/[\n\t]/g, ''))) {
    return '"raw.dnsmasq" must not hold control characters other than line breaks and tabs';
  }
  return familyProblem(settings.ipv4, config) ?? familyProblem(settings.ipv6, config);
}

function familyProblem(settings: FamilySettings | undefined, config: ConfigMap): string | undefined {
  if (!settings) return undefined;
  const family = `ipv${String(settings.family)}`;
  const outside = settings.dhcpRanges.flat().some(address => !contains(settings.address, address));
  if (outside) return `"${family}.dhcp.ranges" must be in the subnet of "${family}.address"`;
  const nat = config[`${family}.nat.address`];
  if (nat && !parseAddress(nat, settings.family)) return `"${family}.nat.address" must be an address`;
  return undefined;
}
