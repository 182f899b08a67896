import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import {
  type ObjectColumns,
  objectColumns,
  parseObjectColumns,
  saveConfig,
  saveDevices,
  snapshotConfig,
  snapshotDevices,
} from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface SnapshotRecord {
  readonly id: number;
  readonly instanceId: number;
  readonly name: string;
  /** RFC 3339 */
  readonly createdAt: string;
  /** zero time: never */
  readonly expiresAt: string;
  readonly lastUsedAt: string;
  readonly stateful: boolean;
  readonly description: string;
  readonly architecture: string;
  readonly ephemeral: boolean;
  readonly profiles: readonly string[];
  /** false until creation has finished, and again once deletion has begun */
  readonly ready: boolean;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

export type NewSnapshot = Omit<SnapshotRecord, 'id'>;

interface Row extends ObjectColumns {
  readonly id: number;
  readonly instance_id: number;
  readonly name: string;
  readonly creation_date: string;
  readonly expiry_date: string;
  readonly last_use_date: string;
  readonly stateful: number;
  readonly description: string;
  readonly architecture: string;
  readonly ephemeral: number;
  readonly profiles: string;
  readonly ready: number;
}

const select = `SELECT id, instance_id, name, creation_date, expiry_date, last_use_date, stateful, description,
  architecture, ephemeral, profiles, ready,
  ${objectColumns('instances_snapshots.id', snapshotConfig, snapshotDevices)} FROM instances_snapshots`;

/** Snapshots of one instance, or of all, oldest first. */
export async function listSnapshotRows(reader: Reader, instanceId?: number): Promise<readonly SnapshotRecord[]> {
  const where = instanceId === undefined ? '' : 'WHERE instance_id = ?';
  const rows = await reader.all<Row>(
    `${select} ${where} ORDER BY instance_id, creation_date, id`,
    instanceId === undefined ? [] : [instanceId],
  );
  return rows.map(recordOf);
}

export async function getSnapshot(reader: Reader, instanceId: number, name: string): Promise<SnapshotRecord> {
  const row = await reader.get<Row>(`${select} WHERE instance_id = ? AND name = ?`, [instanceId, name]);
  if (!row) throw notFound('Snapshot', name);
  return recordOf(row);
}

/** Names with their readiness, oldest first. */
export async function listSnapshotNames(reader: Reader, instanceId: number): Promise<readonly string[]> {
  const rows = await reader.all<{ name: string }>(
    'SELECT name FROM instances_snapshots WHERE instance_id = ? ORDER BY creation_date, id',
    [instanceId],
  );
  return rows.map(row => row.name);
}

/** Throws "already-exists" when the name is taken. */
export async function insertSnapshot(tx: Transaction, record: NewSnapshot): Promise<number> {
  try {
    const { lastId } = await tx.run(
      `INSERT INTO instances_snapshots (instance_id, name, creation_date, expiry_date, last_use_date, stateful,
       description, architecture, ephemeral, profiles, ready) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        record.instanceId,
        record.name,
        record.createdAt,
        record.expiresAt,
        record.lastUsedAt,
        Number(record.stateful),
        record.description,
        record.architecture,
        Number(record.ephemeral),
        JSON.stringify(record.profiles),
        Number(record.ready),
      ],
    );
    await saveConfig(tx, snapshotConfig, lastId, record.config);
    await saveDevices(tx, snapshotDevices, lastId, record.devices);
    return lastId;
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Snapshot', record.name) : error;
  }
}

export async function setSnapshotReady(tx: Transaction, id: number, ready: boolean): Promise<void> {
  await tx.run('UPDATE instances_snapshots SET ready = ? WHERE id = ?', [Number(ready), id]);
}

export async function setSnapshotExpiry(tx: Transaction, id: number, expiresAt: string): Promise<void> {
  await tx.run('UPDATE instances_snapshots SET expiry_date = ? WHERE id = ?', [expiresAt, id]);
}

/** Throws "already-exists" when the new name is taken. */
export async function renameSnapshotRow(tx: Transaction, id: number, name: string): Promise<void> {
  try {
    await tx.run('UPDATE instances_snapshots SET name = ? WHERE id = ?', [name, id]);
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Snapshot', name) : error;
  }
}

/** Replaces the whole config of a snapshot. */
export async function setSnapshotConfig(tx: Transaction, id: number, config: ConfigMap): Promise<void> {
  await saveConfig(tx, snapshotConfig, id, config);
}

/** Replaces all devices of a snapshot. */
export async function setSnapshotDevices(tx: Transaction, id: number, devices: DevicesMap): Promise<void> {
  await saveDevices(tx, snapshotDevices, id, devices);
}

export async function deleteSnapshotRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM instances_snapshots WHERE id = ?', [id]);
}

function recordOf(row: Row): SnapshotRecord {
  return {
    id: row.id,
    instanceId: row.instance_id,
    name: row.name,
    createdAt: row.creation_date,
    expiresAt: row.expiry_date,
    lastUsedAt: row.last_use_date,
    stateful: row.stateful !== 0,
    description: row.description,
    architecture: row.architecture,
    ephemeral: row.ephemeral !== 0,
    profiles: JSON.parse(row.profiles) as readonly string[],
    ready: row.ready !== 0,
    ...parseObjectColumns(row),
  };
}
