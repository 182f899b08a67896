import type { ConfigMap } from '#api/common.ts';
import { effective, effectiveBoolean } from '#base/config-schema.ts';
import { listOf } from '../checks.ts';
import { type Cidr, type Family, type IpAddress, parseAddress, parseCidr, parseRange } from '../ip-address.ts';
import { bridgeKeys } from './config-keys.ts';
import { type Tunnel, tunnelsOf } from './tunnels.ts';

/** What a bridge network does for one address family. */
export interface FamilySettings {
  readonly family: Family;
  /** the bridge's own address */
  readonly address: Cidr;
  readonly dhcp: boolean;
  readonly dhcpExpiry: string;
  readonly dhcpRanges: readonly (readonly [IpAddress, IpAddress])[];
  readonly firewall: boolean;
  readonly nat: boolean;
  readonly natAddress: IpAddress | undefined;
  readonly routes: readonly Cidr[];
  readonly routing: boolean;
}

/** A bridge's config as values: nothing that is rendered into another program's file is text of the user's. */
export interface BridgeSettings {
  readonly name: string;
  readonly hardwareAddress: string | undefined;
  readonly mtu: number;
  readonly externalInterfaces: readonly string[];
  readonly dnsMode: 'none' | 'managed' | 'dynamic';
  readonly dnsDomain: string;
  readonly dnsSearch: readonly string[];
  /** undefined when the bridge has no address of the family */
  readonly ipv4: (FamilySettings & { readonly dhcpGateway: IpAddress | undefined }) | undefined;
  readonly ipv6: (FamilySettings & { readonly stateful: boolean }) | undefined;
  readonly rawDnsmasq: string;
  readonly tunnels: readonly Tunnel[];
  /** names of access lists */
  readonly acls: readonly string[];
  readonly aclDefaults: Readonly<Record<'ingress' | 'egress', AclDefault>>;
}

/** What happens to packets that no rule of an access list matches. */
export interface AclDefault {
  readonly action: 'allow' | 'drop' | 'reject';
  readonly logged: boolean;
}

const defaultMtu = '1500';
// leaves room for the headers of a VXLAN or GRE packet
const tunnelMtu = '1400';

/** Reads a config that has passed its key table. */
export function bridgeSettings(name: string, config: ConfigMap): BridgeSettings {
  const value = (key: string): string => effective(bridgeKeys, config, key) ?? '';
  const ipv4 = familySettings(4, config);
  const ipv6 = familySettings(6, config);
  const tunnels = tunnelsOf(config);
  return {
    name,
    hardwareAddress: (value('bridge.hwaddr') || value('volatile.bridge.hwaddr')).toLowerCase() || undefined,
    mtu: Number(value('bridge.mtu') || (tunnels.some(({ protocol }) => protocol) ? tunnelMtu : defaultMtu)),
    externalInterfaces: membersOf(value('bridge.external_interfaces')),
    dnsMode: value('dns.mode') as BridgeSettings['dnsMode'],
    dnsDomain: value('dns.domain'),
    dnsSearch: membersOf(value('dns.search')),
    ipv4: ipv4 && { ...ipv4, dhcpGateway: parseAddress(value('ipv4.dhcp.gateway'), 4) },
    ipv6: ipv6 && { ...ipv6, stateful: effectiveBoolean(bridgeKeys, config, 'ipv6.dhcp.stateful') },
    rawDnsmasq: value('raw.dnsmasq'),
    tunnels,
    acls: membersOf(value('security.acls')),
    aclDefaults: { ingress: aclDefault('ingress', config), egress: aclDefault('egress', config) },
  };
}

function aclDefault(direction: 'ingress' | 'egress', config: ConfigMap): AclDefault {
  const key = `security.acls.default.${direction}`;
  return {
    action: effective(bridgeKeys, config, `${key}.action`) as AclDefault['action'],
    logged: effectiveBoolean(bridgeKeys, config, `${key}.logged`),
  };
}

function familySettings(family: Family, config: ConfigMap): FamilySettings | undefined {
  const key = (name: string): string => `ipv${String(family)}.${name}`;
  const value = (name: string): string => effective(bridgeKeys, config, key(name)) ?? '';
  const flag = (name: string): boolean => effectiveBoolean(bridgeKeys, config, key(name));
  const address = parseCidr(value('address'), family);
  if (!address) return undefined;
  return {
    family,
    address,
    dhcp: flag('dhcp'),
    dhcpExpiry: value('dhcp.expiry'),
    dhcpRanges: membersOf(value('dhcp.ranges')).flatMap(text => {
      const range = parseRange(text, family);
      return range ? [range] : [];
    }),
    firewall: flag('firewall'),
    nat: flag('nat'),
    natAddress: parseAddress(value('nat.address'), family),
    routes: membersOf(value('routes')).flatMap(text => parseCidr(text, family) ?? []),
    routing: flag('routing'),
  };
}

function membersOf(value: string): readonly string[] {
  return listOf(value).filter(part => part !== '');
}
