import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import {
  type ObjectColumns,
  objectColumns,
  parseObjectColumns,
  profileConfig,
  profileDevices,
  saveConfig,
  saveDevices,
} from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface ProfileRecord {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

export type NewProfile = Omit<ProfileRecord, 'id'>;

type Row = Omit<ProfileRecord, 'config' | 'devices'> & ObjectColumns;

const select = `SELECT profiles.id, projects.name AS project, profiles.name, profiles.description,
  ${objectColumns('profiles.id', profileConfig, profileDevices)}
  FROM profiles JOIN projects ON projects.id = profiles.project_id`;

/** Profiles of one project, or of all, by name. */
export async function listProfiles(reader: Reader, project?: string): Promise<readonly ProfileRecord[]> {
  const where = project === undefined ? '' : 'WHERE projects.name = ?';
  const rows = await reader.all<Row>(
    `${select} ${where} ORDER BY projects.name, profiles.name`,
    project === undefined ? [] : [project],
  );
  return rows.map(row => ({ ...row, ...parseObjectColumns(row) }));
}

export async function findProfile(reader: Reader, project: string, name: string): Promise<ProfileRecord | undefined> {
  const row = await reader.get<Row>(`${select} WHERE projects.name = ? AND profiles.name = ?`, [project, name]);
  return row && { ...row, ...parseObjectColumns(row) };
}

export async function getProfile(reader: Reader, project: string, name: string): Promise<ProfileRecord> {
  const profile = await findProfile(reader, project, name);
  if (!profile) throw notFound('Profile', name);
  return profile;
}

/** Throws "already-exists" when the name is taken. */
export async function insertProfile(tx: Transaction, profile: NewProfile): Promise<number> {
  try {
    const { lastId } = await tx.run(
      'INSERT INTO profiles (project_id, name, description) VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?)',
      [profile.project, profile.name, profile.description],
    );
    await saveConfig(tx, profileConfig, lastId, profile.config);
    await saveDevices(tx, profileDevices, lastId, profile.devices);
    return lastId;
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Profile', profile.name) : error;
  }
}

export async function saveProfile(
  tx: Transaction,
  id: number,
  change: Pick<ProfileRecord, 'description' | 'config' | 'devices'>,
): Promise<void> {
  await tx.run('UPDATE profiles SET description = ? WHERE id = ?', [change.description, id]);
  await saveConfig(tx, profileConfig, id, change.config);
  await saveDevices(tx, profileDevices, id, change.devices);
}

/** Throws "already-exists" when the new name is taken. */
export async function renameProfileRow(tx: Transaction, id: number, name: string): Promise<void> {
  try {
    await tx.run('UPDATE profiles SET name = ? WHERE id = ?', [name, id]);
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Profile', name) : error;
  }
}

export async function deleteProfileRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM profiles WHERE id = ?', [id]);
}

/** Instances that use a profile, by profile id: of one profile, or of all. */
export async function profileUsers(
  reader: Reader,
  id?: number,
): Promise<ReadonlyMap<number, readonly { readonly project: string; readonly name: string }[]>> {
  const rows = await reader.all<{ profile: number; project: string; name: string }>(
    `SELECT instances_profiles.profile_id AS profile, projects.name AS project, instances.name
     FROM instances_profiles JOIN instances ON instances.id = instances_profiles.instance_id
     JOIN projects ON projects.id = instances.project_id ${id === undefined ? '' : 'WHERE profile_id = ?'}
     ORDER BY projects.name, instances.name`,
    id === undefined ? [] : [id],
  );
  const users = new Map<number, { project: string; name: string }[]>();
  for (const { profile, project, name } of rows) {
    const list = users.get(profile) ?? [];
    list.push({ project, name });
    users.set(profile, list);
  }
  return users;
}
