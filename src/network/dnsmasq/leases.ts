import { isIP } from 'node:net';

/** A lease as dnsmasq's lease file has it. */
export interface DnsmasqLease {
  /** empty when the client gave none */
  readonly hostName: string;
  /** empty when it cannot be known: a DHCPv6 client whose DUID holds no MAC address */
  readonly hardwareAddress: string;
  readonly address: string;
  /** seconds since 1970; 0 = never */
  readonly expires: number;
}

const macPattern = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/**
 * Reads a lease file: EXPIRY MAC ADDRESS NAME CLIENT-ID for IPv4, and after a line "duid …" EXPIRY IAID ADDRESS NAME
 * DUID. Names come from guests; lines that do not fit are skipped.
 */
export function parseLeases(text: string): readonly DnsmasqLease[] {
  return text.split('\n').flatMap(line => {
    const [expiry = '', id = '', address = '', name = '', clientId = ''] = line.trim().split(/\s+/);
    if (!/^\d+$/.test(expiry) || isIP(address) === 0) return [];
    const hostName = /^[A-Za-z0-9_.-]{1,255}$/.test(name) ? name : '';
    return [
      { hostName, hardwareAddress: macOf(id.toLowerCase(), clientId.toLowerCase()), address, expires: Number(expiry) },
    ];
  });
}

/** DUIDs of types 1 (link layer plus time) and 3 (link layer) end in the MAC address (RFC 8415, 11). */
function macOf(id: string, duid: string): string {
  if (macPattern.test(id)) return id;
  const tail = duid.slice(-17);
  return /^00:0[13]:00:01:/.test(duid) && macPattern.test(tail) ? tail : '';
}

/** A line of `dnsmasq.hosts`, read back. */
export interface HostEntry {
  readonly hardwareAddress: string;
  readonly addresses: readonly string[];
  readonly name: string | undefined;
}

export function parseHost(text: string): HostEntry | undefined {
  const [mac = '', ...rest] = text.trim().split(',');
  if (!macPattern.test(mac)) return undefined;
  const parts = rest.map(part => part.replace(/^\[(.*)\]$/, '$1'));
  return {
    hardwareAddress: mac,
    addresses: parts.filter(part => isIP(part) !== 0),
    name: parts.find(part => isIP(part) === 0),
  };
}
