import type { ConfigMap } from '#api/common.ts';
import { ApiError, notFound } from '#api/error.ts';
import type { NetworkForward, NetworkForwardPort } from '#api/network-forward.ts';
import { loadConfigs, networkForwardConfig, saveConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface NetworkForwardRecord extends NetworkForward {
  readonly id: number;
  readonly networkId: number;
}

interface Row {
  readonly id: number;
  readonly networkId: number;
  readonly listen_address: string;
  readonly description: string;
  readonly ports: string;
}

/** Forwards of one network, or of all. */
export async function listForwards(reader: Reader, networkId?: number): Promise<readonly NetworkForwardRecord[]> {
  const rows = await reader.all<Row>(
    `SELECT id, network_id AS networkId, listen_address, description, ports FROM networks_forwards
     ${networkId === undefined ? '' : 'WHERE network_id = ?'} ORDER BY network_id, listen_address`,
    networkId === undefined ? [] : [networkId],
  );
  const configs = rows.length > 0 ? await loadConfigs(reader, networkForwardConfig) : new Map<number, ConfigMap>();
  return rows.map(row => ({
    ...row,
    ports: JSON.parse(row.ports) as readonly NetworkForwardPort[],
    config: configs.get(row.id) ?? {},
    location: 'none',
  }));
}

/** Throws "not-found". */
export async function getForward(reader: Reader, networkId: number, address: string): Promise<NetworkForwardRecord> {
  const record = (await listForwards(reader, networkId)).find(forward => forward.listen_address === address);
  if (!record) throw notFound('Network forward', address);
  return record;
}

/** Throws "already-exists". */
export async function insertForward(tx: Transaction, networkId: number, forward: NetworkForward): Promise<void> {
  try {
    const { lastId } = await tx.run(
      'INSERT INTO networks_forwards (network_id, listen_address, description, ports) VALUES (?, ?, ?, ?)',
      [networkId, forward.listen_address, forward.description, JSON.stringify(forward.ports)],
    );
    await saveConfig(tx, networkForwardConfig, lastId, forward.config);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique')
      throw new ApiError('already-exists', 'A forward for that listen address already exists');
    throw error;
  }
}

export async function updateForwardRow(
  tx: Transaction,
  { id }: Pick<NetworkForwardRecord, 'id'>,
  forward: Pick<NetworkForward, 'description' | 'ports' | 'config'>,
): Promise<void> {
  await tx.run('UPDATE networks_forwards SET description = ?, ports = ? WHERE id = ?', [
    forward.description,
    JSON.stringify(forward.ports),
    id,
  ]);
  await saveConfig(tx, networkForwardConfig, id, forward.config);
}

export async function deleteForwardRow(tx: Transaction, { id }: Pick<NetworkForwardRecord, 'id'>): Promise<void> {
  await tx.run('DELETE FROM networks_forwards WHERE id = ?', [id]);
}
