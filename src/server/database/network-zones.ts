import { type ConfigMap, defaultProject } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import type { NetworkZoneEntry, NetworkZoneRecord } from '#api/network-zone.ts';
import { loadConfigs, networkZoneConfig, saveConfig, zoneRecordConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface ZoneRow {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
}

export interface ZoneRecordRow extends NetworkZoneRecord {
  readonly id: number;
}

export async function listZones(reader: Reader): Promise<readonly ZoneRow[]> {
  const rows = await reader.all<Omit<ZoneRow, 'config'>>(
    'SELECT id, name, description FROM networks_zones ORDER BY id',
  );
  const configs = rows.length > 0 ? await loadConfigs(reader, networkZoneConfig) : new Map<number, ConfigMap>();
  return rows.map(row => ({ ...row, config: configs.get(row.id) ?? {} }));
}

export async function findZone(reader: Reader, name: string): Promise<ZoneRow | undefined> {
  return (await listZones(reader)).find(zone => zone.name === name);
}

/** Throws "not-found". */
export async function getZone(reader: Reader, name: string): Promise<ZoneRow> {
  const zone = await findZone(reader, name);
  if (!zone) throw notFound('Network zone', name);
  return zone;
}

/** Throws "already-exists". */
export async function insertZone(tx: Transaction, zone: Omit<ZoneRow, 'id'>): Promise<void> {
  try {
    const { lastId } = await tx.run(
      'INSERT INTO networks_zones (project_id, name, description) SELECT id, ?, ? FROM projects WHERE name = ?',
      [zone.name, zone.description, defaultProject],
    );
    await saveConfig(tx, networkZoneConfig, lastId, zone.config);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Network zone', zone.name);
    throw error;
  }
}

export async function updateZoneRow(tx: Transaction, zone: Omit<ZoneRow, 'name'>): Promise<void> {
  await tx.run('UPDATE networks_zones SET description = ? WHERE id = ?', [zone.description, zone.id]);
  await saveConfig(tx, networkZoneConfig, zone.id, zone.config);
}

export async function deleteZoneRow(tx: Transaction, { id }: Pick<ZoneRow, 'id'>): Promise<void> {
  await tx.run('DELETE FROM networks_zones WHERE id = ?', [id]);
}

export async function listZoneRecords(reader: Reader, zoneId: number): Promise<readonly ZoneRecordRow[]> {
  const rows = await reader.all<{ id: number; name: string; description: string; entries: string }>(
    'SELECT id, name, description, entries FROM networks_zones_records WHERE network_zone_id = ? ORDER BY name',
    [zoneId],
  );
  const configs = rows.length > 0 ? await loadConfigs(reader, zoneRecordConfig) : new Map<number, ConfigMap>();
  return rows.map(row => ({
    ...row,
    entries: JSON.parse(row.entries) as readonly NetworkZoneEntry[],
    config: configs.get(row.id) ?? {},
  }));
}

/** Throws "not-found". */
export async function getZoneRecord(reader: Reader, zoneId: number, name: string): Promise<ZoneRecordRow> {
  const record = (await listZoneRecords(reader, zoneId)).find(candidate => candidate.name === name);
  if (!record) throw notFound('Network zone record', name);
  return record;
}

/** Throws "already-exists". */
export async function insertZoneRecord(tx: Transaction, zoneId: number, record: NetworkZoneRecord): Promise<void> {
  try {
    const { lastId } = await tx.run(
      'INSERT INTO networks_zones_records (network_zone_id, name, description, entries) VALUES (?, ?, ?, ?)',
      [zoneId, record.name, record.description, JSON.stringify(record.entries)],
    );
    await saveConfig(tx, zoneRecordConfig, lastId, record.config);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique')
      throw alreadyExists('Network zone record', record.name);
    throw error;
  }
}

export async function updateZoneRecordRow(tx: Transaction, record: Omit<ZoneRecordRow, 'name'>): Promise<void> {
  await tx.run('UPDATE networks_zones_records SET description = ?, entries = ? WHERE id = ?', [
    record.description,
    JSON.stringify(record.entries),
    record.id,
  ]);
  await saveConfig(tx, zoneRecordConfig, record.id, record.config);
}

export async function deleteZoneRecordRow(tx: Transaction, { id }: Pick<ZoneRecordRow, 'id'>): Promise<void> {
  await tx.run('DELETE FROM networks_zones_records WHERE id = ?', [id]);
}
