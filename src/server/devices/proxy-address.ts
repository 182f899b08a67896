import { isIP, isIPv6 } from 'node:net';

/** One side of a proxy device: "tcp:192.0.2.1:80-90,100", "udp:[2001:db8::1]:53", "unix:/path" or "unix:@name". */
export interface ProxyAddress {
  readonly transport: 'tcp' | 'udp' | 'unix';
  /** IP address, or path or name of a unix socket */
  readonly host: string;
  /** none of a unix socket */
  readonly ports: readonly number[];
}

const mostPorts = 1000;

/** Undefined when the text is not one. */
export function parseProxyAddress(text: string): ProxyAddress | undefined {
  const unix = /^unix:(@[^@/][^\s]*|\/[^\s]+)$/.exec(text);
  // sockaddr_un holds 107 bytes and a NUL
  if (unix?.[1]) return Buffer.byteLength(unix[1]) < 108 ? { transport: 'unix', host: unix[1], ports: [] } : undefined;
  const internet = /^(tcp|udp):(?:\[([^\]]+)\]|([^:[\]]*)):([\d,-]+)$/.exec(text);
  if (!internet) return undefined;
  const [, transport, six, four = '', list = ''] = internet;
  const host = six ?? (four === '' ? '0.0.0.0' : four);
  const ports = parsePorts(list);
  if (isIP(host) === 0 || isIPv6(host) !== (six !== undefined) || !ports) return undefined;
  return { transport: transport as 'tcp' | 'udp', host, ports };
}

/** "80-82,90" as [80, 81, 82, 90]. */
function parsePorts(text: string): readonly number[] | undefined {
  const ports: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!(first >= 1 && first <= last && last <= 65_535) || ports.length + last - first >= mostPorts) return undefined;
    for (let port = first; port <= last; port += 1) ports.push(port);
  }
  return ports;
}

/** Single addresses as the helper reads them, one of each pair per port that is listened on. */
export function pairAddresses(
  listen: ProxyAddress,
  connect: ProxyAddress,
): readonly { readonly listen: string; readonly connect: string }[] {
  const from = eachAddress(listen);
  const to = eachAddress(connect);
  return from.map((address, index) => ({ listen: address, connect: (to.length === 1 ? to[0] : to[index]) ?? '' }));
}

function eachAddress({ transport, host, ports }: ProxyAddress): readonly string[] {
  if (transport === 'unix') return [`unix:${host}`];
  return ports.map(port => `${transport}:${isIPv6(host) ? `[${host}]` : host}:${String(port)}`);
}
