import { ApiError, invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type {
  NetworkZoneEntry,
  NetworkZoneRecord,
  NetworkZoneRecordPut,
  NetworkZoneRecordsPost,
} from '#api/network-zone.ts';
import { hasControlCharacters } from '#base/names.ts';
import * as check from '#network/checks.ts';
import { packEntry } from '#network/dns/record-data.ts';
import {
  deleteZoneRecordRow,
  getZone,
  getZoneRecord,
  insertZoneRecord,
  listZoneRecords,
  updateZoneRecordRow,
  type ZoneRecordRow,
} from '../database/network-zones.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { type Change, requested } from './change.ts';
import { checkUserConfig } from './check-acl.ts';
import { checkDescription, withoutEmpty } from './check-network.ts';
import type { NetworkServices } from './create-network.ts';

const longestTtl = 2 ** 31 - 1;

export async function createZoneRecord(
  services: NetworkServices,
  zone: string,
  request: NetworkZoneRecordsPost,
  requestor?: Requestor,
): Promise<void> {
  const { name } = request;
  const problem =
    name === '@' ? undefined : check.domain(name.replace(/^\*\./, '')) && 'must be a name below the zone, or "@"';
  if (problem !== undefined) throw invalid('name', problem);
  await services.database.write(async tx => {
    const { id } = await getZone(tx, zone);
    await insertZoneRecord(tx, id, { name, ...wanted(request) });
  });
  tell(services, 'network-zone-record-created', zone, name, requestor);
}

export async function updateZoneRecord(
  services: NetworkServices,
  zone: string,
  name: string,
  request: NetworkZoneRecordPut,
  { mode, assertUnchanged, requestor }: Change<ZoneRecordRow>,
): Promise<void> {
  await services.database.write(async tx => {
    const before = await getZoneRecord(tx, (await getZone(tx, zone)).id, name);
    assertUnchanged(before);
    await updateZoneRecordRow(tx, { id: before.id, ...wanted(requested(before, request, mode)) });
  });
  tell(services, 'network-zone-record-updated', zone, name, requestor);
}

export async function deleteZoneRecord(
  services: NetworkServices,
  zone: string,
  name: string,
  requestor?: Requestor,
): Promise<void> {
  await services.database.write(async tx => {
    await deleteZoneRecordRow(tx, await getZoneRecord(tx, (await getZone(tx, zone)).id, name));
  });
  tell(services, 'network-zone-record-deleted', zone, name, requestor);
}

export async function showZoneRecords(
  { database }: Pick<NetworkServices, 'database'>,
  zone: string,
): Promise<readonly NetworkZoneRecord[]> {
  return database.read(async reader => {
    const records = await listZoneRecords(reader, (await getZone(reader, zone)).id);
    return records.map(({ id: _id, ...record }) => record);
  });
}

export async function showZoneRecord(
  { database }: Pick<NetworkServices, 'database'>,
  zone: string,
  name: string,
): Promise<NetworkZoneRecord> {
  return database.read(async reader => {
    const { id: _id, ...record } = await getZoneRecord(reader, (await getZone(reader, zone)).id, name);
    return record;
  });
}

/** The writable part, which the ETag is made of. */
export function writableRecord({ name, description, entries, config }: NetworkZoneRecord): unknown {
  return { name, description, entries, config };
}

function wanted({ description = '', entries, config }: NetworkZoneRecordPut): Omit<NetworkZoneRecord, 'name'> {
  checkDescription(description);
  checkUserConfig(config ?? {});
  const checked = (entries ?? []).map(checkEntry);
  const seen = new Set<string>();
  for (const { type, value } of checked) {
    const key = `${type.toUpperCase()} ${value}`;
    if (seen.has(key)) {
      throw new ApiError('invalid-argument', `Duplicate record for type "${type}" and value "${value}"`);
    }
    seen.add(key);
  }
  return { description, entries: checked, config: withoutEmpty(config ?? {}) };
}

function checkEntry({ type = '', ttl, value = '' }: Partial<NetworkZoneEntry>, index: number): NetworkZoneEntry {
  const refuse = (reason: string): ApiError =>
    new ApiError('invalid-argument', `Bad zone record entry ${String(index)}: ${reason}`);
  if (hasControlCharacters(type) || hasControlCharacters(value)) {
    throw refuse('line breaks and control characters are not allowed');
  }
  if (ttl !== undefined && (!Number.isInteger(ttl) || ttl < 0 || ttl > longestTtl))
    throw refuse(`bad TTL ${String(ttl)}`);
  try {
    packEntry(type, value);
  } catch (error) {
    if (error instanceof RangeError) throw refuse(error.message);
    throw error;
  }
  return { type, ...(ttl && { ttl }), value };
}

function tell({ events }: NetworkServices, action: string, zone: string, name: string, requestor?: Requestor): void {
  const url = `/1.0/network-zones/${encodeURIComponent(zone)}/records/${encodeURIComponent(name)}`;
  emitLifecycle(events, action, url, requestor ? { requestor } : {});
}
