import type { NetworkLease } from '#api/network.ts';
import type { ConfigMap } from '#api/common.ts';
import { effectiveBoolean, parseBoolean } from '#base/config-schema.ts';
import { domain, listOf } from '#network/checks.ts';
import { packEntry } from '#network/dns/record-data.ts';
import type { ZonePeer, ZoneSource } from '#network/dns/server.ts';
import type { ZoneContent } from '#network/dns/transfer.ts';
import { parseAddress } from '#network/ip-address.ts';
import { findZone, listZoneRecords, type ZoneRow } from '../database/network-zones.ts';
import { listNetworks, type NetworkRecord } from '../database/networks.ts';
import type { NetworkServices } from './create-network.ts';
import { zoneKeys } from './zones.ts';

const defaultTtl = 300;

type Uses = Pick<NetworkServices, 'database' | 'networks'>;
type Entry = ZoneContent['records'][number];

/** Zones as they are now: what networks know of their instances, and the records that people have added. */
export function zoneSource({ database, networks }: Uses): ZoneSource {
  return {
    peers: async name => {
      const zone = await database.read(reader => findZone(reader, name));
      return zone && peersOf(zone);
    },
    content: async name => {
      const { zone, records, all } = await database.read(async reader => {
        const zone = await findZone(reader, name);
        const records = zone ? await listZoneRecords(reader, zone.id) : [];
        return { zone, records, all: await listNetworks(reader) };
      });
      if (!zone) return undefined;
      const known: Entry[] = [];
      for (const network of all) {
        const leases = (await networks.find(network.name)?.leases()) ?? [];
        known.push(...networkRecords(zone, network, leases));
      }
      const added = records.flatMap(({ name: label, entries }) =>
        entries.map(({ type, ttl, value }) => ({
          ...packEntry(type, value),
          name: label === '@' ? name : `${label}.${name}`,
          ttl: ttl ?? defaultTtl,
        })),
      );
      const nameServers = listOf(zone.config['dns.nameservers'] ?? '').filter(server => server !== '');
      return { name, nameServers, records: [...known, ...added] };
    },
  };
}

/** Who may have a zone; a key is named after zone and peer, as LXD names it. */
export function peersOf({ name, config }: Pick<ZoneRow, 'name' | 'config'>): readonly ZonePeer[] {
  const names = new Set(Object.keys(config).flatMap(key => /^peers\.([^.]+)\.(?:address|key)$/.exec(key)?.[1] ?? []));
  return [...names].map(peer => {
    const secret = config[`peers.${peer}.key`];
    return {
      address: config[`peers.${peer}.address`] || undefined,
      key: secret ? { name: `${name}_${peer}`.toLowerCase(), secret: Buffer.from(secret, 'base64') } : undefined,
    };
  });
}

/** What a zone has of a network: names of its addresses, or addresses of its names. */
export function networkRecords(
  zone: Pick<ZoneRow, 'name' | 'config'>,
  { config }: Pick<NetworkRecord, 'config'>,
  leases: readonly NetworkLease[],
): readonly Entry[] {
  const withNat = effectiveBoolean(zoneKeys, zone.config, 'network.nat');
  const listed = leases.filter(
    ({ hostname, address }) => domain(hostname) === undefined && (withNat || !isBehindNat(config, address)),
  );
  const forward = config['dns.zone.forward'];
  if (forward === zone.name) {
    return listed.map(({ hostname, address }) => ({
      ...packEntry(address.includes(':') ? 'AAAA' : 'A', address),
      name: `${hostname}.${zone.name}`.toLowerCase(),
      ttl: defaultTtl,
    }));
  }
  const isReverse = ['dns.zone.reverse.ipv4', 'dns.zone.reverse.ipv6'].some(key => config[key] === zone.name);
  if (!isReverse || !forward) return [];
  return listed.flatMap(({ hostname, address }) => {
    const name = reverseName(address);
    if (!name.endsWith(`.${zone.name}`)) return [];
    return [{ ...packEntry('PTR', `${hostname}.${forward}`), name, ttl: defaultTtl }];
  });
}

function isBehindNat(config: ConfigMap, address: string): boolean {
  return parseBoolean(config[address.includes(':') ? 'ipv6.nat' : 'ipv4.nat'] ?? '') === true;
}

/** The name that DNS has for an address, such as 7.2.0.192.in-addr.arpa (RFC 1035, 3.5; RFC 3596, 2.5). */
export function reverseName(text: string): string {
  const address = parseAddress(text);
  if (!address) return '';
  if (address.family === 4) return `${text.split('.').reverse().join('.')}.in-addr.arpa`;
  return `${Array.from(address.value.toString(16).padStart(32, '0')).reverse().join('.')}.ip6.arpa`;
}
