import { type ConfigMap, defaultProject } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import { loadConfig, loadConfigs, networkConfig, saveConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';
import { listDeviceHolders, networkOfNic, urlOfHolder } from './network-nics.ts';

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

/** URLs of the instances, profiles and networks that are on each network or host interface, by its name. */
export async function networkUsers(reader: Reader): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>();
  const note = (network: string, url: string): void => {
    const urls = users.get(network) ?? [];
    if (!urls.includes(url)) users.set(network, [...urls, url]);
  };
  for (const { name, config } of await listNetworks(reader)) {
    if (config['parent']) note(config['parent'], `/1.0/networks/${encodeURIComponent(name)}`);
  }
  for (const holder of await listDeviceHolders(reader)) {
    for (const device of Object.values(holder.devices)) {
      const network = networkOfNic(device);
      if (network !== undefined) note(network, urlOfHolder(holder));
    }
  }
  return users;
}
