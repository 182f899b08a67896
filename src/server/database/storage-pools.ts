import type { ConfigMap } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import { loadConfig, loadConfigs, poolConfig, saveConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface PoolRow {
  readonly id: number;
  readonly name: string;
  readonly driver: string;
  readonly description: string;
  /** false until creation has finished, and again from the moment that deletion begins */
  readonly ready: boolean;
  readonly config: ConfigMap;
}

type Row = Omit<PoolRow, 'ready' | 'config'> & { readonly ready: number };

const columns = 'id, name, driver, description, ready';

export async function listPools(reader: Reader): Promise<readonly PoolRow[]> {
  const rows = await reader.all<Row>(`SELECT ${columns} FROM storage_pools ORDER BY name`);
  const configs = await loadConfigs(reader, poolConfig);
  return rows.map(row => ({ ...row, ready: row.ready === 1, config: configs.get(row.id) ?? {} }));
}

/** Throws "not-found". */
export async function getPool(reader: Reader, name: string): Promise<PoolRow> {
  const row = await reader.get<Row>(`SELECT ${columns} FROM storage_pools WHERE name = ?`, [name]);
  if (!row) throw notFound('Storage pool', name);
  return { ...row, ready: row.ready === 1, config: await loadConfig(reader, poolConfig, row.id) };
}

/** Throws "already-exists". The pool is not ready. */
export async function insertPool(tx: Transaction, pool: Omit<PoolRow, 'id' | 'ready'>): Promise<void> {
  const { name, driver, description, config } = pool;
  try {
    const insert = 'INSERT INTO storage_pools (name, driver, description) VALUES (?, ?, ?)';
    const { lastId } = await tx.run(insert, [name, driver, description]);
    await saveConfig(tx, poolConfig, lastId, config);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Storage pool', name);
    throw error;
  }
}

export async function setPoolReady(tx: Transaction, name: string, ready: boolean): Promise<void> {
  await tx.run('UPDATE storage_pools SET ready = ? WHERE name = ?', [ready ? 1 : 0, name]);
}

export async function updatePool(
  tx: Transaction,
  name: string,
  change: Pick<PoolRow, 'description' | 'config'>,
): Promise<void> {
  const { id } = await getPool(tx, name);
  await tx.run('UPDATE storage_pools SET description = ? WHERE id = ?', [change.description, id]);
  await saveConfig(tx, poolConfig, id, change.config);
}

/** Succeeds when there is none. */
export async function deletePool(tx: Transaction, name: string): Promise<void> {
  await tx.run('DELETE FROM storage_pools WHERE name = ?', [name]);
}

/** What keeps a pool from being deleted: instances, profiles with a disk in it, custom volumes. */
const users = `
SELECT i.storage_pool AS pool, 'instances' AS kind, i.name AS name, p.name AS project
  FROM instances i JOIN projects p ON p.id = i.project_id
UNION SELECT c.value, 'profiles', f.name, p.name
  FROM profiles_devices_config c JOIN profiles_devices d ON d.id = c.profile_device_id
  JOIN profiles f ON f.id = d.profile_id JOIN projects p ON p.id = f.project_id
  JOIN profiles_devices_config t ON t.profile_device_id = d.id AND t.key = 'type' AND t.value = 'disk'
  WHERE c.key = 'pool'
UNION SELECT s.name, 'volumes', v.name, p.name
  FROM storage_volumes v JOIN storage_pools s ON s.id = v.storage_pool_id JOIN projects p ON p.id = v.project_id
  WHERE v.type = 2
ORDER BY kind, project, name`;

/** URLs by pool of what uses it; image volumes, which are made anew when they are needed, do not count. */
export async function poolUsers(reader: Reader): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await reader.all<{ pool: string; kind: string; name: string; project: string }>(users);
  const urls = new Map<string, string[]>();
  for (const { pool, kind, name, project } of rows) {
    const of = urls.get(pool) ?? [];
    urls.set(pool, of);
    of.push(urlOf(kind, pool, name, project));
  }
  return urls;
}

function urlOf(kind: string, pool: string, name: string, project: string): string {
  const parent = kind === 'volumes' ? `storage-pools/${encodeURIComponent(pool)}/volumes/custom` : kind;
  const query = project === 'default' ? '' : `?project=${encodeURIComponent(project)}`;
  return `/1.0/${parent}/${encodeURIComponent(name)}${query}`;
}
