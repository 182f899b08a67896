import { randomBytes } from 'node:crypto';
import { notFound } from '#api/error.ts';
import type { NewInstance } from './instances.ts';
import type { NewSnapshot } from './snapshots.ts';
import type { NewVolume } from './storage-volumes.ts';
import type { NewVolumeSnapshot } from './volume-snapshots.ts';
import type { Reader, Transaction } from './database.ts';

/** The rows of an instance, without the daemon's notes of its deletion. */
export interface TrashedInstance {
  readonly instance: NewInstance;
  /** of its root volume */
  readonly volume: Pick<NewVolume, 'description' | 'config'>;
  /** oldest first */
  readonly snapshots: readonly Omit<NewSnapshot, 'instanceId'>[];
}

/** The rows of a custom volume, likewise. */
export interface TrashedVolume {
  readonly volume: NewVolume;
  /** oldest first */
  readonly snapshots: readonly Omit<NewVolumeSnapshot, 'volumeId'>[];
}

export type TrashContent =
  | { readonly type: 'instance'; readonly content: TrashedInstance }
  | { readonly type: 'volume'; readonly content: TrashedVolume };

/** Config keys of an instance or volume on its way: a daemon that died meanwhile finishes that at its next start. */
export const trashMark = 'volatile.trash.to';
export const untrashMark = 'volatile.trash.from';

export type TrashState = 'arriving' | 'kept' | 'returning' | 'leaving';

export type NewTrash = TrashContent & {
  /** lower-case hexadecimal; the volume's name in the pool comes from it */
  readonly uuid: string;
  /** of a volume: the one that holds it */
  readonly project: string;
  readonly name: string;
  readonly pool: string;
  /** RFC 3339 */
  readonly deletedAt: string;
  readonly expiresAt: string;
  /** user name or fingerprint of who deleted it; "" for the daemon */
  readonly deletedBy: string;
};

export type TrashRecord = NewTrash & { readonly state: TrashState };

interface Row {
  readonly uuid: string;
  readonly project: string;
  readonly type: 'instance' | 'volume';
  readonly name: string;
  readonly storage_pool: string;
  readonly deletion_date: string;
  readonly expiry_date: string;
  readonly deleted_by: string;
  readonly state: TrashState;
  readonly content: string;
}

const select = `SELECT uuid, p.name AS project, type, t.name, storage_pool, deletion_date, expiry_date, deleted_by, state,
  content FROM trash t JOIN projects p ON p.id = t.project_id`;

/** An id that nothing in the trash has had. */
export function newTrashId(): string {
  return randomBytes(6).toString('hex');
}

/** All of it, oldest first. */
export async function listTrashRows(reader: Reader): Promise<readonly TrashRecord[]> {
  return (await reader.all<Row>(`${select} ORDER BY deletion_date, t.id`)).map(recordOf);
}

/** Throws "not-found". */
export async function getTrash(reader: Reader, uuid: string): Promise<TrashRecord> {
  const row = await reader.get<Row>(`${select} WHERE uuid = ?`, [uuid]);
  if (!row) throw notFound('Trash', uuid);
  return recordOf(row);
}

/** The row is arriving. */
export async function insertTrash(tx: Transaction, trash: NewTrash): Promise<void> {
  await tx.run(
    `INSERT INTO trash (uuid, project_id, type, name, storage_pool, deletion_date, expiry_date, deleted_by, state, content)
     VALUES (?, (SELECT id FROM projects WHERE name = ?), ?, ?, ?, ?, ?, ?, 'arriving', ?)`,
    [
      trash.uuid,
      trash.project,
      trash.type,
      trash.name,
      trash.pool,
      trash.deletedAt,
      trash.expiresAt,
      trash.deletedBy,
      JSON.stringify(trash.content),
    ],
  );
}

export async function setTrashState(tx: Transaction, uuid: string, state: TrashState): Promise<void> {
  await tx.run('UPDATE trash SET state = ? WHERE uuid = ?', [state, uuid]);
}

/** Succeeds when there is none. */
export async function deleteTrashRow(tx: Transaction, uuid: string): Promise<void> {
  await tx.run('DELETE FROM trash WHERE uuid = ?', [uuid]);
}

/** How many things of a pool or of a project are in the trash. */
export async function countTrash(
  reader: Reader,
  { pool, project }: { readonly pool?: string; readonly project?: string },
): Promise<number> {
  const row = await reader.get<{ count: number }>(
    `SELECT count(*) AS count FROM trash t JOIN projects p ON p.id = t.project_id
     WHERE (? IS NULL OR storage_pool = ?) AND (? IS NULL OR p.name = ?)`,
    [pool ?? null, pool ?? null, project ?? null, project ?? null],
  );
  return row?.count ?? 0;
}

/** Ids of what is on its way there or back with an instance or a custom volume. */
export async function markedTrash(reader: Reader): Promise<ReadonlySet<string>> {
  const keys = [trashMark, untrashMark];
  const rows = await reader.all<{ value: string }>(
    `SELECT value FROM instances_config WHERE key IN (?, ?)
     UNION SELECT value FROM storage_volumes_config WHERE key IN (?, ?)`,
    [...keys, ...keys],
  );
  return new Set(rows.map(({ value }) => value));
}

function recordOf(row: Row): TrashRecord {
  const content = { type: row.type, content: JSON.parse(row.content) as never } as TrashContent;
  return {
    ...content,
    uuid: row.uuid,
    project: row.project,
    name: row.name,
    pool: row.storage_pool,
    deletedAt: row.deletion_date,
    expiresAt: row.expiry_date,
    deletedBy: row.deleted_by,
    state: row.state,
  };
}
