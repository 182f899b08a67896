import type { ConfigMap } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import { loadConfigs, saveConfig, volumeSnapshotConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface VolumeSnapshotRecord {
  readonly id: number;
  readonly volumeId: number;
  readonly name: string;
  readonly description: string;
  /** RFC 3339 */
  readonly createdAt: string;
  /** zero time: never */
  readonly expiresAt: string;
  /** false until creation has finished, and again once deletion has begun */
  readonly ready: boolean;
  readonly config: ConfigMap;
}

export type NewVolumeSnapshot = Omit<VolumeSnapshotRecord, 'id'>;

interface Row {
  readonly id: number;
  readonly storage_volume_id: number;
  readonly name: string;
  readonly description: string;
  readonly creation_date: string;
  readonly expiry_date: string;
  readonly ready: number;
}

const select = `SELECT id, storage_volume_id, name, description, creation_date, expiry_date, ready
  FROM storage_volumes_snapshots`;

/** Snapshots of one volume, or of all, oldest first. */
export async function listVolumeSnapshots(reader: Reader, volumeId?: number): Promise<readonly VolumeSnapshotRecord[]> {
  const where = volumeId === undefined ? '' : 'WHERE storage_volume_id = ?';
  const rows = await reader.all<Row>(
    `${select} ${where} ORDER BY storage_volume_id, creation_date, id`,
    volumeId === undefined ? [] : [volumeId],
  );
  if (rows.length === 0) return [];
  const configs = await loadConfigs(reader, volumeSnapshotConfig);
  return rows.map(row => recordOf(row, configs.get(row.id)));
}

/** Throws "not-found". */
export async function getVolumeSnapshot(reader: Reader, volumeId: number, name: string): Promise<VolumeSnapshotRecord> {
  const row = await reader.get<Row>(`${select} WHERE storage_volume_id = ? AND name = ?`, [volumeId, name]);
  if (!row) throw notFound('Snapshot', name);
  return recordOf(row, (await loadConfigs(reader, volumeSnapshotConfig, row.id)).get(row.id));
}

/** Throws "already-exists" when the name is taken. */
export async function insertVolumeSnapshot(tx: Transaction, snapshot: NewVolumeSnapshot): Promise<number> {
  const { volumeId, name, description, createdAt, expiresAt, ready, config } = snapshot;
  try {
    const { lastId } = await tx.run(
      `INSERT INTO storage_volumes_snapshots
         (storage_volume_id, name, description, creation_date, expiry_date, ready) VALUES (?, ?, ?, ?, ?, ?)`,
      [volumeId, name, description, createdAt, expiresAt, Number(ready)],
    );
    await saveConfig(tx, volumeSnapshotConfig, lastId, config);
    return lastId;
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Snapshot', name) : error;
  }
}

export type VolumeSnapshotChange = Partial<Pick<VolumeSnapshotRecord, 'name' | 'description' | 'expiresAt' | 'ready'>>;

/** Throws "already-exists" when a new name is taken. */
export async function updateVolumeSnapshot(tx: Transaction, id: number, change: VolumeSnapshotChange): Promise<void> {
  const columns = [
    ['name', change.name],
    ['description', change.description],
    ['expiry_date', change.expiresAt],
    ['ready', change.ready === undefined ? undefined : Number(change.ready)],
  ] as const;
  for (const [column, value] of columns) {
    if (value === undefined) continue;
    try {
      await tx.run(`UPDATE storage_volumes_snapshots SET ${column} = ? WHERE id = ?`, [value, id]);
    } catch (error) {
      if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Snapshot', String(value));
      throw error;
    }
  }
}

/** Replaces the whole config of a snapshot. */
export async function setVolumeSnapshotConfig(tx: Transaction, id: number, config: ConfigMap): Promise<void> {
  await saveConfig(tx, volumeSnapshotConfig, id, config);
}

export async function deleteVolumeSnapshotRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM storage_volumes_snapshots WHERE id = ?', [id]);
}

function recordOf(row: Row, config: ConfigMap | undefined): VolumeSnapshotRecord {
  return {
    id: row.id,
    volumeId: row.storage_volume_id,
    name: row.name,
    description: row.description,
    createdAt: row.creation_date,
    expiresAt: row.expiry_date,
    ready: row.ready !== 0,
    config: config ?? {},
  };
}
