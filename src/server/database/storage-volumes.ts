import type { ConfigMap } from '#api/common.ts';
import { alreadyExists, ApiError, notFound } from '#api/error.ts';
import { loadConfigs, saveConfig, volumeConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

/** LXD's numbers in the column `type`. */
const typeNumbers = { container: 0, custom: 2 } as const;
export type VolumeType = keyof typeof typeNumbers;

/** A volume of the pool: a custom one, or the root of an instance, whose row follows the instance's by triggers. */
export interface VolumeRecord {
  readonly id: number;
  readonly pool: string;
  readonly project: string;
  readonly type: VolumeType;
  readonly name: string;
  readonly description: string;
  /** RFC 3339 */
  readonly createdAt: string;
  /** false until creation has finished, and again once deletion has begun */
  readonly ready: boolean;
  readonly config: ConfigMap;
}

export type NewVolume = Omit<VolumeRecord, 'id'>;

export interface VolumeAt {
  readonly pool: string;
  readonly project: string;
  readonly type: VolumeType;
  readonly name: string;
}

interface Row {
  readonly id: number;
  readonly pool: string;
  readonly project: string;
  readonly type: number;
  readonly name: string;
  readonly description: string;
  readonly creation_date: string;
  readonly ready: number;
}

const select = `SELECT v.id, s.name AS pool, p.name AS project, v.type, v.name, v.description, v.creation_date, v.ready
  FROM storage_volumes v JOIN storage_pools s ON s.id = v.storage_pool_id JOIN projects p ON p.id = v.project_id`;

/** Volumes by pool, project, type and name; of one pool and one project where these are given. */
export async function listVolumeRecords(
  reader: Reader,
  { pool, project }: { readonly pool?: string; readonly project?: string } = {},
): Promise<readonly VolumeRecord[]> {
  const rows = await reader.all<Row>(
    `${select} WHERE (? IS NULL OR s.name = ?) AND (? IS NULL OR p.name = ?)
     ORDER BY s.name, p.name, v.type, v.name`,
    [pool ?? null, pool ?? null, project ?? null, project ?? null],
  );
  if (rows.length === 0) return [];
  const configs = await loadConfigs(reader, volumeConfig);
  return rows.map(row => recordOf(row, configs.get(row.id)));
}

export async function findVolume(reader: Reader, at: VolumeAt): Promise<VolumeRecord | undefined> {
  const row = await reader.get<Row>(`${select} WHERE s.name = ? AND p.name = ? AND v.type = ? AND v.name = ?`, [
    at.pool,
    at.project,
    typeNumbers[at.type],
    at.name,
  ]);
  return row && recordOf(row, (await loadConfigs(reader, volumeConfig, row.id)).get(row.id));
}

/** Throws "not-found". */
export async function getVolume(reader: Reader, at: VolumeAt): Promise<VolumeRecord> {
  const record = await findVolume(reader, at);
  if (!record) throw notFound('Storage volume', `${at.type}/${at.name}`);
  return record;
}

/** Throws "already-exists" when the name is taken. */
export async function insertVolume(tx: Transaction, volume: NewVolume): Promise<VolumeRecord> {
  const { pool, project, type, name, description, createdAt, ready, config } = volume;
  try {
    const { lastId } = await tx.run(
      `INSERT INTO storage_volumes (name, storage_pool_id, type, description, project_id, creation_date, ready)
       VALUES (?, (SELECT id FROM storage_pools WHERE name = ?), ?, ?, (SELECT id FROM projects WHERE name = ?), ?, ?)`,
      [name, pool, typeNumbers[type], description, project, createdAt, Number(ready)],
    );
    await saveConfig(tx, volumeConfig, lastId, config);
    return { ...volume, id: lastId };
  } catch (error) {
    throw taken(error, name);
  }
}

export interface VolumeChange {
  readonly name?: string;
  readonly pool?: string;
  readonly project?: string;
  readonly description?: string;
  readonly ready?: boolean;
  readonly config?: ConfigMap;
}

/** Changes the given members; config is replaced as a whole. Throws "already-exists" when a new name is taken. */
export async function updateVolume(tx: Transaction, id: number, change: VolumeChange): Promise<void> {
  const { name, pool, project, description, ready, config } = change;
  try {
    if (name !== undefined) await tx.run('UPDATE storage_volumes SET name = ? WHERE id = ?', [name, id]);
    if (pool !== undefined)
      await tx.run(
        'UPDATE storage_volumes SET storage_pool_id = (SELECT id FROM storage_pools WHERE name = ?) WHERE id = ?',
        [pool, id],
      );
    if (project !== undefined)
      await tx.run('UPDATE storage_volumes SET project_id = (SELECT id FROM projects WHERE name = ?) WHERE id = ?', [
        project,
        id,
      ]);
  } catch (error) {
    throw taken(error, name ?? '');
  }
  if (description !== undefined)
    await tx.run('UPDATE storage_volumes SET description = ? WHERE id = ?', [description, id]);
  if (ready !== undefined) await tx.run('UPDATE storage_volumes SET ready = ? WHERE id = ?', [Number(ready), id]);
  if (config) await saveConfig(tx, volumeConfig, id, config);
}

/** Sets or, with undefined, removes some config keys and leaves the others. */
export async function patchVolumeConfig(
  tx: Transaction,
  id: number,
  keys: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined)
      await tx.run('DELETE FROM storage_volumes_config WHERE storage_volume_id = ? AND key = ?', [id, key]);
    else
      await tx.run(
        `INSERT INTO storage_volumes_config (storage_volume_id, key, value) VALUES (?, ?, ?)
         ON CONFLICT (storage_volume_id, key) DO UPDATE SET value = excluded.value`,
        [id, key, value],
      );
  }
}

/** Succeeds when there is none. */
export async function deleteVolumeRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM storage_volumes WHERE id = ?', [id]);
}

function taken(error: unknown, name: string): unknown {
  if (!(error instanceof ConflictError)) return error;
  if (error.kind === 'unique') return alreadyExists('Storage volume', name);
  return new ApiError('not-found', 'The storage pool or the project of the volume is gone', { cause: error });
}

function recordOf(row: Row, config: ConfigMap | undefined): VolumeRecord {
  return {
    id: row.id,
    pool: row.pool,
    project: row.project,
    type: row.type === typeNumbers.custom ? 'custom' : 'container',
    name: row.name,
    description: row.description,
    createdAt: row.creation_date,
    ready: row.ready !== 0,
    config: config ?? {},
  };
}
