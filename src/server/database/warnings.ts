import { randomUUID } from 'node:crypto';
import { notFound } from '#api/error.ts';
import type { Warning } from '#api/warning.ts';
import type { Reader, Transaction } from './database.ts';

export interface NewWarning {
  readonly project: string;
  readonly entityUrl: string;
  readonly type: string;
  readonly severity: 'low' | 'moderate' | 'high';
  readonly message: string;
}

const columns = `uuid, 'none' AS location, project, type, count, first_seen_date AS first_seen_at,
  last_seen_date AS last_seen_at, last_message, severity, status, entity AS entity_url`;

export async function listWarnings(reader: Reader): Promise<readonly Warning[]> {
  return await reader.all<Warning>(`SELECT ${columns} FROM warnings ORDER BY id`);
}

export async function getWarning(reader: Reader, uuid: string): Promise<Warning> {
  const warning = await reader.get<Warning>(`SELECT ${columns} FROM warnings WHERE uuid = ?`, [uuid]);
  if (!warning) throw notFound('Warning', uuid);
  return warning;
}

/** Counts one up when the same warning is there already, and opens a resolved one again. */
export async function saveWarning(tx: Transaction, warning: NewWarning): Promise<void> {
  const now = new Date().toISOString();
  await tx.run(
    `INSERT INTO warnings
       (uuid, project, entity, type, status, severity, first_seen_date, last_seen_date, count, last_message)
     VALUES (?, ?, ?, ?, 'new', ?, ?, ?, 1, ?)
     ON CONFLICT (project, entity, type) DO UPDATE SET count = count + 1, last_seen_date = excluded.last_seen_date,
       last_message = excluded.last_message, status = CASE status WHEN 'resolved' THEN 'new' ELSE status END`,
    [randomUUID(), warning.project, warning.entityUrl, warning.type, warning.severity, now, now, warning.message],
  );
}

/** The reason for a warning is gone; does nothing when there is no such warning. */
export async function resolveWarning(
  tx: Transaction,
  { project, entityUrl, type }: Pick<NewWarning, 'project' | 'entityUrl' | 'type'>,
): Promise<void> {
  await tx.run("UPDATE warnings SET status = 'resolved' WHERE project = ? AND entity = ? AND type = ?", [
    project,
    entityUrl,
    type,
  ]);
}

export async function setWarningStatus(tx: Transaction, uuid: string, status: Warning['status']): Promise<void> {
  const { changes } = await tx.run('UPDATE warnings SET status = ? WHERE uuid = ?', [status, uuid]);
  if (changes === 0) throw notFound('Warning', uuid);
}

export async function deleteWarning(tx: Transaction, uuid: string): Promise<void> {
  const { changes } = await tx.run('DELETE FROM warnings WHERE uuid = ?', [uuid]);
  if (changes === 0) throw notFound('Warning', uuid);
}

/** What a warning was about is gone. */
export async function deleteWarningsOf(tx: Transaction, entityUrl: string): Promise<void> {
  await tx.run('DELETE FROM warnings WHERE entity = ?', [entityUrl]);
}
