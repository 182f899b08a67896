import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { defaultProject } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import {
  instanceDevices,
  loadConfig,
  loadConfigs,
  loadDevices,
  networkConfig,
  profileDevices,
  saveConfig,
} from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface NetworkRecord {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  /** false until creation has finished, and again from when deletion begins */
  readonly ready: boolean;
  readonly config: ConfigMap;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly ready: number;
}

const columns = 'id, name, type, description, ready';

export async function listNetworks(reader: Reader): Promise<readonly NetworkRecord[]> {
  const rows = await reader.all<Row>(`SELECT ${columns} FROM networks ORDER BY name`);
  const configs = await loadConfigs(reader, networkConfig);
  return rows.map(row => ({ ...row, ready: row.ready === 1, config: configs.get(row.id) ?? {} }));
}

export async function findNetwork(reader: Reader, name: string): Promise<NetworkRecord | undefined> {
  const row = await reader.get<Row>(`SELECT ${columns} FROM networks WHERE name = ?`, [name]);
  return row && { ...row, ready: row.ready === 1, config: await loadConfig(reader, networkConfig, row.id) };
}

/** Throws "not-found", also for a network that is not finished or on its way out. */
export async function getNetwork(reader: Reader, name: string): Promise<NetworkRecord> {
  const record = await findNetwork(reader, name);
  if (!record?.ready) throw notFound('Network', name);
  return record;
}

/** Inserts a network that is not ready; throws "already-exists". */
export async function insertNetwork(
  tx: Transaction,
  network: Pick<NetworkRecord, 'name' | 'type' | 'description' | 'config'>,
): Promise<void> {
  try {
    const { lastId } = await tx.run(
      `INSERT INTO networks (project_id, name, type, description, ready)
       SELECT id, ?, ?, ?, 0 FROM projects WHERE name = ?`,
      [network.name, network.type, network.description, defaultProject],
    );
    await saveConfig(tx, networkConfig, lastId, network.config);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Network', network.name);
    throw error;
  }
}

export async function setNetworkReady(tx: Transaction, name: string, ready: boolean): Promise<void> {
  await tx.run('UPDATE networks SET ready = ? WHERE name = ?', [ready ? 1 : 0, name]);
}

export async function updateNetworkRow(
  tx: Transaction,
  { id }: Pick<NetworkRecord, 'id'>,
  change: Pick<NetworkRecord, 'description' | 'config'>,
): Promise<void> {
  await tx.run('UPDATE networks SET description = ? WHERE id = ?', [change.description, id]);
  await saveConfig(tx, networkConfig, id, change.config);
}

/** Throws "already-exists" when the new name is taken. */
export async function renameNetworkRow(tx: Transaction, name: string, newName: string): Promise<void> {
  try {
    await tx.run('UPDATE networks SET name = ? WHERE name = ?', [newName, name]);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Network', newName);
    throw error;
  }
}

export async function deleteNetworkRow(tx: Transaction, name: string): Promise<void> {
  await tx.run('DELETE FROM networks WHERE name = ?', [name]);
}

interface Owner {
  readonly id: number;
  readonly project: string;
  readonly name: string;
}

/** URLs of the instances and profiles whose NICs are on each network or host interface, by its name. */
export async function networkUsers(reader: Reader): Promise<ReadonlyMap<string, readonly string[]>> {
  const owners = (table: string): Promise<Owner[]> =>
    reader.all<Owner>(
      `SELECT o.id, p.name AS project, o.name FROM ${table} o JOIN projects p ON p.id = o.project_id ORDER BY p.id, o.name`,
    );
  const ofProfiles = await loadDevices(reader, profileDevices);
  const ofInstances = await loadDevices(reader, instanceDevices);
  const applied = await reader.all<{ instance: number; profile: number }>(
    'SELECT instance_id AS instance, profile_id AS profile FROM instances_profiles ORDER BY instance_id, apply_order',
  );
  const profilesOf = new Map<number, number[]>();
  for (const { instance, profile } of applied) {
    profilesOf.set(instance, [...(profilesOf.get(instance) ?? []), profile]);
  }
  const users = new Map<string, string[]>();
  const note = (url: string, devices: DevicesMap): void => {
    for (const network of networksOf(devices)) users.set(network, [...(users.get(network) ?? []), url]);
  };
  for (const instance of await owners('instances')) {
    const inherited = (profilesOf.get(instance.id) ?? []).map(profile => ofProfiles.get(profile) ?? {});
    const devices = Object.assign({}, ...inherited, ofInstances.get(instance.id)) as DevicesMap;
    note(urlOf('instances', instance), devices);
  }
  for (const profile of await owners('profiles')) note(urlOf('profiles', profile), ofProfiles.get(profile.id) ?? {});
  return users;
}

function networksOf(devices: DevicesMap): ReadonlySet<string> {
  return new Set(
    Object.values(devices).flatMap(device => {
      const target = device['network'] ?? device['parent'];
      return device['type'] === 'nic' && target !== undefined ? [target] : [];
    }),
  );
}

function urlOf(kind: string, { project, name }: Owner): string {
  const url = `/1.0/${kind}/${encodeURIComponent(name)}`;
  return project === defaultProject ? url : `${url}?project=${encodeURIComponent(project)}`;
}
