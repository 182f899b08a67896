import type { ConfigMap } from '#api/common.ts';
import { defaultProject } from '#api/common.ts';
import { ApiError, notFound } from '#api/error.ts';
import type { Project } from '#api/project.ts';
import { loadConfig, loadConfigs, projectConfig, saveConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface ProjectRecord {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
}

type Row = Omit<ProjectRecord, 'config'>;

/** What lies in each project, in the order that LXD lists it. */
const usedBy = `
SELECT project_id AS id, 1 AS kind, name, '' AS pool FROM instances
UNION ALL SELECT project_id, 2, name, '' FROM profiles
UNION ALL SELECT project_id, 3, fingerprint, '' FROM images
UNION ALL SELECT v.project_id, 4, v.name, p.name
  FROM storage_volumes v JOIN storage_pools p ON p.id = v.storage_pool_id WHERE v.type = 2
UNION ALL SELECT project_id, 5, name, '' FROM networks
ORDER BY kind, pool, name`;

interface User {
  readonly id: number;
  readonly kind: number;
  readonly name: string;
  readonly pool: string;
}

export async function listProjects(reader: Reader): Promise<readonly Project[]> {
  const rows = await reader.all<Row>('SELECT id, name, description FROM projects ORDER BY name');
  const configs = await loadConfigs(reader, projectConfig);
  const users = new Map<number, User[]>();
  for (const user of await reader.all<User>(usedBy)) users.set(user.id, [...(users.get(user.id) ?? []), user]);
  return rows.map(({ id, name, description }) => ({
    name,
    description,
    config: configs.get(id) ?? {},
    used_by: (users.get(id) ?? []).map(user => urlOf(user, name)),
  }));
}

/** Throws "not-found". */
export async function getProject(reader: Reader, name: string): Promise<Project & ProjectRecord> {
  const record = await getProjectRecord(reader, name);
  const users = await reader.all<User>(`SELECT * FROM (${usedBy}) WHERE id = ?`, [record.id]);
  return { ...record, used_by: users.map(user => urlOf(user, name)) };
}

/** A project without what lies in it. Throws "not-found". */
export async function getProjectRecord(reader: Reader, name: string): Promise<ProjectRecord> {
  const row = await reader.get<Row>('SELECT id, name, description FROM projects WHERE name = ?', [name]);
  if (!row) throw notFound('Project', name);
  return { ...row, config: await loadConfig(reader, projectConfig, row.id) };
}

/** Throws "already-exists". */
export async function insertProject(tx: Transaction, project: Omit<ProjectRecord, 'id'>): Promise<void> {
  const { name, description, config } = project;
  const inserted = tx.run('INSERT INTO projects (name, description) VALUES (?, ?)', [name, description]);
  const { lastId } = await unlessTaken(name, inserted);
  await saveConfig(tx, projectConfig, lastId, config);
}

export async function saveProject(
  tx: Transaction,
  id: number,
  { description, config }: Pick<ProjectRecord, 'description' | 'config'>,
): Promise<void> {
  await tx.run('UPDATE projects SET description = ? WHERE id = ?', [description, id]);
  await saveConfig(tx, projectConfig, id, config);
}

/** Throws "already-exists" when the new name is taken. Warnings name their project by text and follow. */
export async function renameProjectRow(tx: Transaction, { id, name }: Row, newName: string): Promise<void> {
  await unlessTaken(newName, tx.run('UPDATE projects SET name = ? WHERE id = ?', [newName, id]));
  await tx.run('UPDATE warnings SET project = ? WHERE project = ?', [newName, name]);
}

/** Its profiles and its warnings go with it. */
export async function deleteProjectRow(tx: Transaction, { id, name }: Row): Promise<void> {
  await tx.run('DELETE FROM warnings WHERE project = ?', [name]);
  await tx.run('DELETE FROM projects WHERE id = ?', [id]);
}

async function unlessTaken<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? projectExists(name) : error;
  }
}

/** In LXD's words, which scripts look for. */
export function projectExists(name: string): ApiError {
  return new ApiError('already-exists', `A project named "${name}" already exists`);
}

function urlOf({ kind, name, pool }: User, project: string): string {
  const volumes = `storage-pools/${encodeURIComponent(pool)}/volumes/custom`;
  const parent = ['', 'instances', 'profiles', 'images', volumes, 'networks'][kind] ?? '';
  const query = project === defaultProject ? '' : `?project=${encodeURIComponent(project)}`;
  return `/1.0/${parent}/${encodeURIComponent(name)}${query}`;
}
