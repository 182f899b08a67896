import type { BridgeSettings } from '../bridge/settings.ts';
import { formatAddress, type IpAddress, lastOf, networkOf } from '../ip-address.ts';

/** Where dnsmasq finds and keeps what belongs to one network; all absolute. */
export interface DnsmasqFiles {
  readonly config: string;
  readonly hosts: string;
  readonly leases: string;
  readonly raw: string;
}

/** The unprivileged user that dnsmasq becomes. */
export interface Account {
  readonly user: string;
  readonly group: string | undefined;
}

/** The configuration of one network's dnsmasq (dnsmasq(8)), rendered from typed values only. */
export function renderConfig(settings: BridgeSettings, files: DnsmasqFiles, account: Account): string {
  const lines = [
    'strict-order',
    'bind-interfaces',
    `interface=${settings.name}`,
    'except-interface=lo',
    'no-ping',
    'no-hosts',
    'pid-file=',
    `user=${account.user}`,
    ...(account.group === undefined ? [] : [`group=${account.group}`]),
    ...dnsLines(settings),
    ...dhcpLines(settings, files),
    ...ipv4Lines(settings),
    ...ipv6Lines(settings),
    `conf-file=${files.raw}`,
  ];
  return `${lines.join('\n')}\n`;
}

function dnsLines({ name, dnsMode, dnsDomain, ipv4, ipv6 }: BridgeSettings): readonly string[] {
  const listen = [ipv4, ipv6].flatMap(family => (family ? [`listen-address=${formatAddress(family.address)}`] : []));
  if (dnsMode === 'none') return listen;
  return [
    ...listen,
    `domain=${dnsDomain}`,
    `local=/${dnsDomain}/`,
    `interface-name=_gateway.${dnsDomain},${name}`,
    // names that strangers on the bridge call themselves are not published
    ...(dnsMode === 'managed' ? ['dhcp-ignore-names=tag:!known'] : []),
  ];
}

function dhcpLines(settings: BridgeSettings, files: DnsmasqFiles): readonly string[] {
  if (!settings.ipv4?.dhcp && !settings.ipv6) return [];
  return [
    'dhcp-rapid-commit',
    'dhcp-no-override',
    'dhcp-authoritative',
    'quiet-dhcp',
    'quiet-dhcp6',
    'quiet-ra',
    `dhcp-leasefile=${files.leases}`,
    `dhcp-hostsfile=${files.hosts}`,
  ];
}

function ipv4Lines({ ipv4, mtu, dnsSearch }: BridgeSettings): readonly string[] {
  if (!ipv4?.dhcp) return [];
  const network = networkOf(ipv4.address).value;
  const whole = [at(4, network + 1n), at(4, lastOf(ipv4.address).value - 1n)] as const;
  const ranges = ipv4.dhcpRanges.length > 0 ? ipv4.dhcpRanges : [whole];
  return [
    ...ranges.map(([first, last]) => `dhcp-range=${formatAddress(first)},${formatAddress(last)},${ipv4.dhcpExpiry}`),
    ...(ipv4.dhcpGateway ? [`dhcp-option-force=3,${formatAddress(ipv4.dhcpGateway)}`] : []),
    ...(mtu === 1500 ? [] : [`dhcp-option-force=26,${String(mtu)}`]),
    ...(dnsSearch.length > 0 ? [`dhcp-option-force=119,${dnsSearch.join(',')}`] : []),
  ];
}

function ipv6Lines({ name, ipv6, dnsSearch }: BridgeSettings): readonly string[] {
  if (!ipv6) return [];
  const lines = ['enable-ra'];
  if (!ipv6.dhcp) lines.push(`dhcp-range=::,constructor:${name},ra-only`);
  else if (!ipv6.stateful) lines.push(`dhcp-range=::,constructor:${name},ra-stateless,ra-names`);
  else {
    const network = networkOf(ipv6.address).value;
    const whole = [at(6, network + 2n), lastOf(ipv6.address)] as const;
    const ranges = ipv6.dhcpRanges.length > 0 ? ipv6.dhcpRanges : [whole];
    const length = String(ipv6.address.prefixLength);
    for (const [first, last] of ranges) {
      lines.push(`dhcp-range=${formatAddress(first)},${formatAddress(last)},${length},${ipv6.dhcpExpiry}`);
    }
  }
  if (dnsSearch.length > 0) lines.push(`dhcp-option=option6:domain-search,${dnsSearch.join(',')}`);
  return lines;
}

function at(family: 4 | 6, value: bigint): IpAddress {
  return { family, value };
}

/** A NIC's line in `dnsmasq.hosts`: which name and addresses belong to a MAC address. */
export function renderHost(host: {
  readonly hardwareAddress: string;
  readonly ipv4: IpAddress | undefined;
  readonly ipv6: IpAddress | undefined;
  readonly name: string | undefined;
}): string {
  const parts = [host.hardwareAddress.toLowerCase()];
  if (host.ipv4) parts.push(formatAddress(host.ipv4));
  if (host.ipv6) parts.push(`[${formatAddress(host.ipv6)}]`);
  if (host.name !== undefined) parts.push(host.name);
  return `${parts.join(',')}\n`;
}
