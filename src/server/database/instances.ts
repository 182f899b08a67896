import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import {
  instanceConfig,
  instanceDevices,
  type ObjectColumns,
  objectColumns,
  parseObjectColumns,
  saveConfig,
  saveDevices,
} from './config-rows.ts';
import { ConflictError, type Reader, type SqlValue, type Transaction } from './database.ts';
import { ownerProject } from './project-features.ts';

export interface InstanceRecord {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly architecture: string;
  readonly ephemeral: boolean;
  readonly stateful: boolean;
  /** RFC 3339 */
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly description: string;
  readonly pool: string;
  /** false until creation has finished, and again once deletion has begun */
  readonly ready: boolean;
  /** local config */
  readonly config: ConfigMap;
  /** local devices */
  readonly devices: DevicesMap;
  /** names, in the order they apply */
  readonly profiles: readonly string[];
}

export type NewInstance = Omit<InstanceRecord, 'id'>;
export type InstanceChange = Partial<Omit<InstanceRecord, 'id' | 'project'>>;

interface Row extends ObjectColumns {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly architecture: string;
  readonly ephemeral: number;
  readonly stateful: number;
  readonly creation_date: string;
  readonly last_use_date: string;
  readonly description: string;
  readonly storage_pool: string;
  readonly ready: number;
  /** names as JSON */
  readonly profiles: string;
}

const select = `SELECT instances.id, projects.name AS project, instances.name, architecture, ephemeral, stateful,
  creation_date, last_use_date, instances.description, storage_pool, ready,
  ${objectColumns('instances.id', instanceConfig, instanceDevices)},
  (SELECT json_group_array(name) FROM (SELECT profiles.name FROM instances_profiles
    JOIN profiles ON profiles.id = profile_id WHERE instance_id = instances.id ORDER BY apply_order)) AS profiles
  FROM instances JOIN projects ON projects.id = instances.project_id`;

/** Instances of one project, or of all, by name. */
export async function listInstanceRows(reader: Reader, project?: string): Promise<readonly InstanceRecord[]> {
  const where = project === undefined ? '' : 'WHERE projects.name = ?';
  const rows = await reader.all<Row>(
    `${select} ${where} ORDER BY projects.name, instances.name`,
    project === undefined ? [] : [project],
  );
  return rows.map(recordOf);
}

export async function findInstance(reader: Reader, project: string, name: string): Promise<InstanceRecord | undefined> {
  const row = await reader.get<Row>(`${select} WHERE projects.name = ? AND instances.name = ?`, [project, name]);
  return row && recordOf(row);
}

export async function getInstance(reader: Reader, project: string, name: string): Promise<InstanceRecord> {
  const record = await findInstance(reader, project, name);
  if (!record) throw notFound('Instance', name);
  return record;
}

/** Names without anything else, in order. */
export async function listInstanceNames(
  reader: Reader,
  project?: string,
): Promise<readonly { readonly project: string; readonly name: string }[]> {
  const where = project === undefined ? '' : 'WHERE projects.name = ?';
  return await reader.all(
    `SELECT projects.name AS project, instances.name FROM instances JOIN projects ON projects.id = instances.project_id
     ${where} ORDER BY projects.name, instances.name`,
    project === undefined ? [] : [project],
  );
}

/** Throws "already-exists" when the name is taken and "not-found" for a profile that does not exist. */
export async function insertInstance(tx: Transaction, record: NewInstance): Promise<InstanceRecord> {
  try {
    const { lastId } = await tx.run(
      `INSERT INTO instances (project_id, name, architecture, ephemeral, stateful, creation_date, last_use_date,
       description, storage_pool, ready) VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [record.project, ...instanceColumns(record).map(([, value]) => value)],
    );
    await saveConfig(tx, instanceConfig, lastId, record.config);
    await saveDevices(tx, instanceDevices, lastId, record.devices);
    await saveProfileNames(tx, lastId, record.project, record.profiles);
    return { ...record, id: lastId };
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Instance', record.name) : error;
  }
}

/** Changes the given members; config, devices and profiles are replaced as a whole. */
export async function updateInstance(
  tx: Transaction,
  record: Pick<InstanceRecord, 'id' | 'project'>,
  change: InstanceChange,
): Promise<void> {
  const columns = instanceColumns(change);
  if (columns.length > 0) {
    const sets = columns.map(([column]) => `${column} = ?`).join(', ');
    try {
      await tx.run(`UPDATE instances SET ${sets} WHERE id = ?`, [...columns.map(([, value]) => value), record.id]);
    } catch (error) {
      throw error instanceof ConflictError && error.kind === 'unique'
        ? alreadyExists('Instance', change.name ?? '')
        : error;
    }
  }
  if (change.config) await saveConfig(tx, instanceConfig, record.id, change.config);
  if (change.devices) await saveDevices(tx, instanceDevices, record.id, change.devices);
  if (change.profiles) await saveProfileNames(tx, record.id, record.project, change.profiles);
}

/** Sets or, with undefined, removes some config keys and leaves the others. */
export async function patchInstanceConfig(
  tx: Transaction,
  id: number,
  keys: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined) {
      await tx.run('DELETE FROM instances_config WHERE instance_id = ? AND key = ?', [id, key]);
    } else {
      await tx.run(
        `INSERT INTO instances_config (instance_id, key, value) VALUES (?, ?, ?)
         ON CONFLICT (instance_id, key) DO UPDATE SET value = excluded.value`,
        [id, key, value],
      );
    }
  }
}

/** Moves the row to another project, whose profiles of the same names it has from then on. */
export async function setInstanceProject(
  tx: Transaction,
  id: number,
  project: string,
  profiles: readonly string[],
): Promise<void> {
  await tx.run('UPDATE instances SET project_id = (SELECT id FROM projects WHERE name = ?) WHERE id = ?', [
    project,
    id,
  ]);
  await saveProfileNames(tx, id, project, profiles);
}

export async function deleteInstanceRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM instances WHERE id = ?', [id]);
}

/** Columns of the members that are given, in a fixed order. */
function instanceColumns(change: InstanceChange): readonly (readonly [string, SqlValue])[] {
  const columns: (readonly [string, SqlValue | undefined])[] = [
    ['name', change.name],
    ['architecture', change.architecture],
    ['ephemeral', change.ephemeral === undefined ? undefined : Number(change.ephemeral)],
    ['stateful', change.stateful === undefined ? undefined : Number(change.stateful)],
    ['creation_date', change.createdAt],
    ['last_use_date', change.lastUsedAt],
    ['description', change.description],
    ['storage_pool', change.pool],
    ['ready', change.ready === undefined ? undefined : Number(change.ready)],
  ];
  return columns.filter((column): column is readonly [string, SqlValue] => column[1] !== undefined);
}

async function saveProfileNames(tx: Transaction, id: number, project: string, names: readonly string[]): Promise<void> {
  await tx.run('DELETE FROM instances_profiles WHERE instance_id = ?', [id]);
  const owner = await ownerProject(tx, project, 'profiles');
  for (const [index, name] of names.entries()) {
    const { changes } = await tx.run(
      `INSERT INTO instances_profiles (instance_id, profile_id, apply_order)
       SELECT ?, profiles.id, ? FROM profiles JOIN projects ON projects.id = profiles.project_id
       WHERE projects.name = ? AND profiles.name = ?`,
      [id, index + 1, owner, name],
    );
    if (changes === 0) throw notFound('Profile', name);
  }
}

function recordOf(row: Row): InstanceRecord {
  return {
    id: row.id,
    project: row.project,
    name: row.name,
    architecture: row.architecture,
    ephemeral: row.ephemeral !== 0,
    stateful: row.stateful !== 0,
    createdAt: row.creation_date,
    lastUsedAt: row.last_use_date,
    description: row.description,
    pool: row.storage_pool,
    ready: row.ready !== 0,
    ...parseObjectColumns(row),
    profiles: JSON.parse(row.profiles) as string[],
  };
}
