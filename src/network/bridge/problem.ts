import type { ConfigMap } from '#api/common.ts';
import { hasControlCharacters } from '#base/names.ts';
import { contains, parseAddress } from '../ip-address.ts';
import { bridgeSettings, type FamilySettings } from './settings.ts';
import { tunnelProblem } from './tunnels.ts';

/** Why the values of a bridge's config do not go together, naming the key; each has passed its own check before. */
export function bridgeProblem(name: string, config: ConfigMap): string | undefined {
  const settings = bridgeSettings(name, config);
  if (settings.externalInterfaces.includes(name)) return '"bridge.external_interfaces" must not name the bridge itself';
  if (hasControlCharacters(settings.rawDnsmasq.replace(/[\n\t]/g, ''))) {
    return '"raw.dnsmasq" must not hold control characters other than line breaks and tabs';
  }
  for (const tunnel of settings.tunnels) {
    const problem = tunnelProblem(name, tunnel);
    if (problem !== undefined) return problem;
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
