import type { ConfigMap, DevicesMap } from '#api/common.ts';
import type { Reader, SqlValue, Transaction } from './database.ts';

/** Tables of keys and values that belong to rows of another table, named by this module's callers only. */
export interface ConfigTable {
  readonly table: string;
  readonly owner: string;
}

export interface DeviceTable extends ConfigTable {
  readonly configTable: string;
  readonly configOwner: string;
}

export const instanceConfig: ConfigTable = { table: 'instances_config', owner: 'instance_id' };
export const instanceDevices: DeviceTable = {
  table: 'instances_devices',
  owner: 'instance_id',
  configTable: 'instances_devices_config',
  configOwner: 'instance_device_id',
};
export const snapshotConfig: ConfigTable = { table: 'instances_snapshots_config', owner: 'instance_snapshot_id' };
export const snapshotDevices: DeviceTable = {
  table: 'instances_snapshots_devices',
  owner: 'instance_snapshot_id',
  configTable: 'instances_snapshots_devices_config',
  configOwner: 'instance_snapshot_device_id',
};
export const profileConfig: ConfigTable = { table: 'profiles_config', owner: 'profile_id' };
export const profileDevices: DeviceTable = {
  table: 'profiles_devices',
  owner: 'profile_id',
  configTable: 'profiles_devices_config',
  configOwner: 'profile_device_id',
};
export const poolConfig: ConfigTable = { table: 'storage_pools_config', owner: 'storage_pool_id' };
export const volumeConfig: ConfigTable = { table: 'storage_volumes_config', owner: 'storage_volume_id' };
export const volumeSnapshotConfig: ConfigTable = {
  table: 'storage_volumes_snapshots_config',
  owner: 'storage_volume_snapshot_id',
};
export const networkConfig: ConfigTable = { table: 'networks_config', owner: 'network_id' };
export const networkAclConfig: ConfigTable = { table: 'networks_acls_config', owner: 'network_acl_id' };
export const networkForwardConfig: ConfigTable = { table: 'networks_forwards_config', owner: 'network_forward_id' };
export const networkZoneConfig: ConfigTable = { table: 'networks_zones_config', owner: 'network_zone_id' };
export const zoneRecordConfig: ConfigTable = {
  table: 'networks_zones_records_config',
  owner: 'network_zone_record_id',
};
export const projectConfig: ConfigTable = { table: 'projects_config', owner: 'project_id' };
export const imageProperties: ConfigTable = { table: 'images_properties', owner: 'image_id' };

/** Config by owner's id: of one owner, or of all in one query. */
export async function loadConfigs(
  reader: Reader,
  { table, owner }: ConfigTable,
  id?: number,
): Promise<ReadonlyMap<number, ConfigMap>> {
  const where = id === undefined ? '' : `WHERE ${owner} = ?`;
  const rows = await reader.all<{ owner: number; key: string; value: string }>(
    `SELECT ${owner} AS owner, key, value FROM ${table} ${where} ORDER BY ${owner}, key`,
    id === undefined ? [] : [id],
  );
  const configs = new Map<number, Record<string, string>>();
  for (const row of rows) entryOf(configs, row.owner)[row.key] = row.value;
  return configs;
}

export async function loadConfig(reader: Reader, table: ConfigTable, id: number): Promise<ConfigMap> {
  return (await loadConfigs(reader, table, id)).get(id) ?? {};
}

/** What `objectColumns` gives: JSON. */
export interface ObjectColumns {
  readonly config: string;
  readonly devices: string;
}

/** Columns "config" and "devices" of the row whose id `id` names in SQL: an object comes whole in one query. */
export function objectColumns(id: string, config: ConfigTable, devices: DeviceTable): string {
  const options = jsonConfig({ table: devices.configTable, owner: devices.configOwner }, 'device');
  const list = `SELECT id AS device, name FROM ${devices.table} WHERE ${devices.owner} = ${id} ORDER BY name`;
  return `${jsonConfig(config, id)} AS config,
    (SELECT json_group_object(name, json(${options})) FROM (${list})) AS devices`;
}

function jsonConfig({ table, owner }: ConfigTable, id: string): string {
  return `(SELECT json_group_object(key, value) FROM (SELECT key, value FROM ${table} WHERE ${owner} = ${id} ORDER BY key))`;
}

export function parseObjectColumns(row: ObjectColumns): { readonly config: ConfigMap; readonly devices: DevicesMap } {
  const devices = withoutPrototype(JSON.parse(row.devices) as DevicesMap);
  for (const options of Object.values(devices)) withoutPrototype(options);
  return { config: withoutPrototype(JSON.parse(row.config) as ConfigMap), devices };
}

/** Replaces the whole config of one owner; empty values are not stored. */
export async function saveConfig(
  tx: Transaction,
  { table, owner }: ConfigTable,
  id: number,
  config: ConfigMap,
): Promise<void> {
  await tx.run(`DELETE FROM ${table} WHERE ${owner} = ?`, [id]);
  const entries = Object.entries(config).filter(([, value]) => value !== '');
  await insertMany(
    tx,
    `INSERT INTO ${table} (${owner}, key, value) VALUES`,
    entries.map(([key, value]) => [id, key, value]),
  );
}

/** Devices of all owners by owner's id, in one query. */
export async function loadDevices(
  reader: Reader,
  { table, owner, configTable, configOwner }: DeviceTable,
): Promise<ReadonlyMap<number, DevicesMap>> {
  const rows = await reader.all<{ owner: number; name: string; key: string | null; value: string | null }>(
    `SELECT d.${owner} AS owner, d.name, c.key, c.value FROM ${table} d
     LEFT JOIN ${configTable} c ON c.${configOwner} = d.id ORDER BY d.${owner}, d.name, c.key`,
  );
  const devices = new Map<number, Record<string, Record<string, string>>>();
  for (const row of rows) {
    const device = (entryOf(devices, row.owner)[row.name] ??= {});
    if (row.key !== null && row.value !== null) device[row.key] = row.value;
  }
  return devices;
}

/** Replaces all devices of one owner. */
export async function saveDevices(
  tx: Transaction,
  tables: DeviceTable,
  id: number,
  devices: DevicesMap,
): Promise<void> {
  await tx.run(`DELETE FROM ${tables.table} WHERE ${tables.owner} = ?`, [id]);
  for (const [name, options] of Object.entries(devices)) {
    const { lastId } = await tx.run(`INSERT INTO ${tables.table} (${tables.owner}, name) VALUES (?, ?)`, [id, name]);
    const entries = Object.entries(options).filter(([, value]) => value !== '');
    const insert = `INSERT INTO ${tables.configTable} (${tables.configOwner}, key, value) VALUES`;
    await insertMany(
      tx,
      insert,
      entries.map(([key, value]) => [lastId, key, value]),
    );
  }
}

async function insertMany(tx: Transaction, insert: string, rows: readonly (readonly SqlValue[])[]): Promise<void> {
  const batch = 80; // dqlite takes at most 255 parameters a statement
  for (let start = 0; start < rows.length; start += batch) {
    const part = rows.slice(start, start + batch);
    const marks = part.map(row => `(${row.map(() => '?').join(', ')})`).join(', ');
    await tx.run(`${insert} ${marks}`, part.flat());
  }
}

function entryOf<T>(map: Map<number, Record<string, T>>, id: number): Record<string, T> {
  let entry = map.get(id);
  if (!entry) map.set(id, (entry = withoutPrototype<Record<string, T>>({})));
  return entry;
}

/** A key named "__proto__" or "constructor" is a key like any other. */
function withoutPrototype<T extends object>(members: T): T {
  return Object.setPrototypeOf(members, null) as T;
}
