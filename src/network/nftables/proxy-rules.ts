import type { Chain } from './chain.ts';

/** Connections of a proxy device that the kernel translates. */
export interface ProxyTranslation {
  /** containerId and device name, e.g. "c1" and "web" */
  readonly instance: string;
  readonly device: string;
  /** addresses such as "tcp:192.0.2.1:80" and "udp:[2001:db8::1]:53" */
  readonly pairs: readonly { readonly listen: string; readonly connect: string }[];
}

/** A proxy device's chains in family inet, named as LXD names them. */
export function proxyChainNames({
  instance,
  device,
}: Pick<ProxyTranslation, 'instance' | 'device'>): readonly string[] {
  return [`prert.${instance}.${device}`, `out.${instance}.${device}`, `pstrt.${instance}.${device}`];
}

export function proxyChains(translation: ProxyTranslation): readonly Chain[] {
  const [arriving = '', own = '', hairpin = ''] = proxyChainNames(translation);
  const pairs = translation.pairs.map(({ listen, connect }) => ({ listen: split(listen), connect: split(connect) }));
  const translated = pairs.map(
    ({ listen, connect }) =>
      `${listen.ip} daddr ${listen.host} ${listen.protocol} dport ${listen.port} dnat ${listen.ip} to ${target(connect)}`,
  );
  const masked = pairs.map(
    ({ connect: { ip, host, protocol, port } }) =>
      `${ip} saddr ${host} ${ip} daddr ${host} ${protocol} dport ${port} masquerade`,
  );
  return [
    { name: arriving, hook: 'nat hook prerouting priority dstnat', rules: translated },
    { name: own, hook: 'nat hook output priority -100', rules: translated },
    // an instance that speaks to itself by its outer address
    { name: hairpin, hook: 'nat hook postrouting priority srcnat', rules: [...new Set(masked)] },
  ];
}

interface Parts {
  readonly ip: 'ip' | 'ip6';
  readonly protocol: string;
  readonly host: string;
  readonly port: string;
}

function split(address: string): Parts {
  const match = /^(tcp|udp):(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d+)$/.exec(address);
  if (!match) throw new Error(`Not an address and port: ${JSON.stringify(address)}`);
  const [, protocol = '', six, four = '', port = ''] = match;
  return { ip: six === undefined ? 'ip' : 'ip6', protocol, host: six ?? four, port };
}

function target({ ip, host, port }: Parts): string {
  return ip === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`;
}
