import { ApiError, invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { NetworkZone, NetworkZonePut, NetworkZonesPost } from '#api/network-zone.ts';
import { defineKeys } from '#base/config-schema.ts';
import * as check from '#network/checks.ts';
import {
  deleteZoneRow,
  getZone,
  insertZone,
  listZones,
  updateZoneRow,
  type ZoneRow,
} from '../database/network-zones.ts';
import { listNetworks, type NetworkRecord } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { type Change, requested } from './change.ts';
import { checkUserConfig } from './check-acl.ts';
import { checkDescription, withoutEmpty } from './check-network.ts';
import type { NetworkServices } from './create-network.ts';
import { zoneReferences } from './zone-references.ts';

export const zoneKeys = defineKeys({
  'dns.nameservers': {
    type: 'string',
    summary: 'Names of the servers that serve the zone, separated by commas',
    check: check.each(check.domain),
  },
  'network.nat': { type: 'boolean', default: 'true', summary: 'Whether to list addresses of networks behind NAT' },
  'peers.*.address': { type: 'string', summary: 'Address that may have the zone', check: check.anyAddress },
  'peers.*.key': { type: 'string', summary: 'Key, in base64, that signs requests for the zone', check: keyProblem },
});

function keyProblem(value: string): string | undefined {
  return /^[A-Za-z0-9+/]{2,}={0,2}$/.test(value) ? undefined : 'must be a key in base64';
}

export async function createZone(
  services: NetworkServices,
  request: NetworkZonesPost,
  requestor?: Requestor,
): Promise<void> {
  const { name } = request;
  const problem = check.zoneName(name);
  if (problem !== undefined) throw invalid('name', problem);
  await services.database.write(tx => insertZone(tx, { name, ...wanted(request) }));
  tell(services, 'network-zone-created', name, requestor);
}

export async function updateZone(
  services: NetworkServices,
  name: string,
  request: NetworkZonePut,
  { mode, assertUnchanged, requestor }: Change<ZoneRow>,
): Promise<void> {
  await services.database.write(async tx => {
    const before = await getZone(tx, name);
    assertUnchanged(before);
    await updateZoneRow(tx, { id: before.id, ...wanted(requested(before, request, mode)) });
  });
  tell(services, 'network-zone-updated', name, requestor);
}

export async function deleteZone(services: NetworkServices, name: string, requestor?: Requestor): Promise<void> {
  await services.database.write(async tx => {
    const zone = await getZone(tx, name);
    const users = usersOf(await listNetworks(tx), name);
    if (users.length > 0) {
      const message = `Cannot delete a zone that is in use: by ${users.join(', ')}`;
      throw new ApiError('failed-precondition', message);
    }
    await deleteZoneRow(tx, zone);
  });
  tell(services, 'network-zone-deleted', name, requestor);
}

export async function showZones({ database }: Pick<NetworkServices, 'database'>): Promise<readonly NetworkZone[]> {
  return database.read(async reader => {
    const networks = await listNetworks(reader);
    return (await listZones(reader)).map(zone => shown(zone, usersOf(networks, zone.name)));
  });
}

export async function showZone({ database }: Pick<NetworkServices, 'database'>, name: string): Promise<NetworkZone> {
  return database.read(async reader => shown(await getZone(reader, name), usersOf(await listNetworks(reader), name)));
}

/** The writable part, which the ETag is made of. */
export function writableZone({ name, description, config }: Omit<NetworkZone, 'used_by'>): unknown {
  return { name, description, config };
}

function shown({ name, description, config }: ZoneRow, users: readonly string[]): NetworkZone {
  return { description, config, name, used_by: users };
}

function wanted({ description = '', config }: NetworkZonePut): Pick<ZoneRow, 'description' | 'config'> {
  checkDescription(description);
  checkUserConfig(config ?? {}, zoneKeys);
  return { description, config: withoutEmpty(config ?? {}) };
}

function usersOf(networks: readonly NetworkRecord[], zone: string): readonly string[] {
  return networks
    .filter(({ config }) => zoneReferences.some(key => config[key] === zone))
    .map(({ name }) => `/1.0/networks/${encodeURIComponent(name)}`);
}

function tell({ events }: NetworkServices, action: string, name: string, requestor?: Requestor): void {
  emitLifecycle(events, action, `/1.0/network-zones/${encodeURIComponent(name)}`, requestor ? { requestor } : {});
}
