import type { ConfigMap, DevicesMap } from '#api/common.ts';
import type { Reader, Transaction } from './database.ts';

/** What users wrote of an instance: without keys of the daemon's. */
export interface InstanceVersion {
  readonly description: string;
  readonly ephemeral: boolean;
  readonly profiles: readonly string[];
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

/** "return" is the way back from the trash. */
export type ChangeAction = 'update' | 'restore' | 'return';

export interface InstanceChangeRecord {
  readonly id: number;
  readonly project: string;
  readonly instance: string;
  readonly action: ChangeAction;
  /** RFC 3339 */
  readonly changedAt: string;
  /** user name or fingerprint; "" for the daemon */
  readonly changedBy: string;
  /** of a restore: the snapshot that was taken before it, or "" */
  readonly snapshot: string;
  readonly before: InstanceVersion;
}

interface Row {
  readonly id: number;
  readonly project: string;
  readonly instance: string;
  readonly action: ChangeAction;
  readonly change_date: string;
  readonly changed_by: string;
  readonly snapshot: string;
  readonly before: string;
}

const select = `SELECT c.id, p.name AS project, i.name AS instance, action, change_date, changed_by, snapshot, before
  FROM instances_changes c JOIN instances i ON i.id = c.instance_id JOIN projects p ON p.id = i.project_id`;

/** Changes of an instance that are kept; older ones go. */
const keptChanges = 20;

/** Returns the change's id. */
export async function insertChange(
  tx: Transaction,
  instanceId: number,
  change: Omit<InstanceChangeRecord, 'id' | 'project' | 'instance'>,
): Promise<number> {
  const { action, changedAt, changedBy, snapshot, before } = change;
  const { lastId } = await tx.run(
    `INSERT INTO instances_changes (instance_id, action, change_date, changed_by, snapshot, before)
     VALUES (?, ?, ?, ?, ?, ?)`,
    [instanceId, action, changedAt, changedBy, snapshot, JSON.stringify(before)],
  );
  await tx.run(
    `DELETE FROM instances_changes WHERE instance_id = ? AND id NOT IN
     (SELECT id FROM instances_changes WHERE instance_id = ? ORDER BY id DESC LIMIT ${String(keptChanges)})`,
    [instanceId, instanceId],
  );
  return lastId;
}

export async function deleteChange(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM instances_changes WHERE id = ?', [id]);
}

/** Those of one instance, newest first. */
export async function listChanges(reader: Reader, instanceId: number): Promise<readonly InstanceChangeRecord[]> {
  const rows = await reader.all<Row>(`${select} WHERE instance_id = ? ORDER BY c.id DESC`, [instanceId]);
  return rows.map(recordOf);
}

/** The newest of a project, or of one instance in it. */
export async function findLastChange(
  reader: Reader,
  project: string,
  instance?: string,
): Promise<InstanceChangeRecord | undefined> {
  const row = await reader.get<Row>(
    `${select} WHERE p.name = ? AND (? IS NULL OR i.name = ?) ORDER BY c.id DESC LIMIT 1`,
    [project, instance ?? null, instance ?? null],
  );
  return row && recordOf(row);
}

function recordOf(row: Row): InstanceChangeRecord {
  const { id, project, instance, action, snapshot } = row;
  const before = JSON.parse(row.before) as InstanceVersion;
  return { id, project, instance, action, snapshot, before, changedAt: row.change_date, changedBy: row.changed_by };
}
