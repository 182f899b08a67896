import { type ConfigMap, defaultProject } from '#api/common.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import type { NetworkAcl, NetworkAclRule } from '#api/network-acl.ts';
import { loadConfig, loadConfigs, networkAclConfig, saveConfig } from './config-rows.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface NetworkAclRecord extends Omit<NetworkAcl, 'used_by'> {
  readonly id: number;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly ingress: string;
  readonly egress: string;
}

const columns = 'id, name, description, ingress, egress';

export async function listAcls(reader: Reader): Promise<readonly NetworkAclRecord[]> {
  const rows = await reader.all<Row>(`SELECT ${columns} FROM networks_acls ORDER BY id`);
  const configs = rows.length > 0 ? await loadConfigs(reader, networkAclConfig) : new Map<number, ConfigMap>();
  return rows.map(row => recordOf(row, configs.get(row.id) ?? {}));
}

export async function findAcl(reader: Reader, name: string): Promise<NetworkAclRecord | undefined> {
  const row = await reader.get<Row>(`SELECT ${columns} FROM networks_acls WHERE name = ?`, [name]);
  return row && recordOf(row, await loadConfig(reader, networkAclConfig, row.id));
}

/** Throws "not-found". */
export async function getAcl(reader: Reader, name: string): Promise<NetworkAclRecord> {
  const record = await findAcl(reader, name);
  if (!record) throw notFound('Network ACL', name);
  return record;
}

function recordOf(row: Row, config: ConfigMap): NetworkAclRecord {
  const rules = (text: string): readonly NetworkAclRule[] => JSON.parse(text) as readonly NetworkAclRule[];
  return { ...row, config, ingress: rules(row.ingress), egress: rules(row.egress) };
}

type NewAcl = Omit<NetworkAclRecord, 'id'>;

/** Throws "already-exists". */
export async function insertAcl(tx: Transaction, acl: NewAcl): Promise<void> {
  try {
    const { lastId } = await tx.run(
      `INSERT INTO networks_acls (project_id, name, description, ingress, egress)
       SELECT id, ?, ?, ?, ? FROM projects WHERE name = ?`,
      [acl.name, acl.description, JSON.stringify(acl.ingress), JSON.stringify(acl.egress), defaultProject],
    );
    await saveConfig(tx, networkAclConfig, lastId, acl.config);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Network ACL', acl.name);
    throw error;
  }
}

export async function updateAclRow(
  tx: Transaction,
  { id }: Pick<NetworkAclRecord, 'id'>,
  acl: Omit<NewAcl, 'name'>,
): Promise<void> {
  await tx.run('UPDATE networks_acls SET description = ?, ingress = ?, egress = ? WHERE id = ?', [
    acl.description,
    JSON.stringify(acl.ingress),
    JSON.stringify(acl.egress),
    id,
  ]);
  await saveConfig(tx, networkAclConfig, id, acl.config);
}

/** Throws "already-exists" when the new name is taken. */
export async function renameAclRow(tx: Transaction, name: string, newName: string): Promise<void> {
  try {
    await tx.run('UPDATE networks_acls SET name = ? WHERE name = ?', [newName, name]);
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw alreadyExists('Network ACL', newName);
    throw error;
  }
}

export async function deleteAclRow(tx: Transaction, name: string): Promise<void> {
  await tx.run('DELETE FROM networks_acls WHERE name = ?', [name]);
}
