import { alreadyExists, ApiError, notFound } from '#api/error.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

/** Whose backups: the tables differ in their names only. */
export interface BackupTable {
  readonly table: string;
  readonly owner: string;
  readonly only: string;
}

export const instanceBackups: BackupTable = {
  table: 'instances_backups',
  owner: 'instance_id',
  only: 'container_only',
};
export const volumeBackups: BackupTable = {
  table: 'storage_volumes_backups',
  owner: 'storage_volume_id',
  only: 'volume_only',
};

export interface BackupRecord {
  readonly id: number;
  /** id of the instance or volume */
  readonly ownerId: number;
  readonly name: string;
  /** RFC 3339 */
  readonly createdAt: string;
  /** zero time: never */
  readonly expiresAt: string;
  /** without snapshots */
  readonly only: boolean;
  readonly optimized: boolean;
  /** false until its file is whole, and again once deletion has begun */
  readonly ready: boolean;
}

interface Row {
  readonly id: number;
  readonly owner: number;
  readonly name: string;
  readonly creation_date: string;
  readonly expiry_date: string;
  readonly only: number;
  readonly optimized_storage: number;
  readonly ready: number;
}

function select({ table, owner, only }: BackupTable): string {
  return `SELECT id, ${owner} AS owner, name, creation_date, expiry_date, ${only} AS only, optimized_storage, ready FROM ${table}`;
}

/** Backups of one instance or volume, or of all, oldest first. */
export async function listBackupRows(
  reader: Reader,
  table: BackupTable,
  ownerId?: number,
): Promise<readonly BackupRecord[]> {
  const where = ownerId === undefined ? '' : `WHERE ${table.owner} = ?`;
  const sql = `${select(table)} ${where} ORDER BY ${table.owner}, creation_date, id`;
  return (await reader.all<Row>(sql, ownerId === undefined ? [] : [ownerId])).map(recordOf);
}

/** Throws "not-found". */
export async function getBackup(
  reader: Reader,
  table: BackupTable,
  ownerId: number,
  name: string,
): Promise<BackupRecord> {
  const row = await reader.get<Row>(`${select(table)} WHERE ${table.owner} = ? AND name = ?`, [ownerId, name]);
  if (!row) throw notFound('Backup', name);
  return recordOf(row);
}

/** Throws "already-exists". The backup is not ready. */
export async function insertBackup(
  tx: Transaction,
  { table, owner, only }: BackupTable,
  backup: Omit<BackupRecord, 'id' | 'ready'>,
): Promise<number> {
  const sql = `INSERT INTO ${table} (${owner}, name, creation_date, expiry_date, ${only}, optimized_storage)
    VALUES (?, ?, ?, ?, ?, ?)`;
  const { ownerId, name, createdAt, expiresAt } = backup;
  const values = [ownerId, name, createdAt, expiresAt, Number(backup.only), Number(backup.optimized)];
  return (await unique(name, () => tx.run(sql, values))).lastId;
}

/** Throws "not-found" when its owner was deleted meanwhile, and the backup with it. */
export async function setBackupReady(tx: Transaction, { table }: BackupTable, id: number): Promise<void> {
  const { changes } = await tx.run(`UPDATE ${table} SET ready = 1 WHERE id = ?`, [id]);
  if (changes === 0) throw new ApiError('not-found', 'What the backup was made of was deleted meanwhile');
}

/** Throws "already-exists". */
export async function renameBackupRow(
  tx: Transaction,
  { table }: BackupTable,
  id: number,
  name: string,
): Promise<void> {
  await unique(name, () => tx.run(`UPDATE ${table} SET name = ? WHERE id = ?`, [name, id]));
}

export async function deleteBackupRow(tx: Transaction, { table }: BackupTable, id: number): Promise<void> {
  await tx.run(`DELETE FROM ${table} WHERE id = ?`, [id]);
}

async function unique<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Backup', name) : error;
  }
}

function recordOf(row: Row): BackupRecord {
  return {
    id: row.id,
    ownerId: row.owner,
    name: row.name,
    createdAt: row.creation_date,
    expiresAt: row.expiry_date,
    only: row.only !== 0,
    optimized: row.optimized_storage !== 0,
    ready: row.ready !== 0,
  };
}
