import type { ImageAliasEntry } from '#api/image.ts';
import { alreadyExists, notFound } from '#api/error.ts';
import { ConflictError, type Reader, type Transaction } from './database.ts';

export interface ImageAliasRecord {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  /** fingerprint */
  readonly target: string;
  readonly imageId: number;
  readonly public: boolean;
}

type Row = Omit<ImageAliasRecord, 'public'> & { readonly public: number };

const select = `SELECT a.id, a.name, a.description, a.image_id AS imageId, images.fingerprint AS target, images.public
  FROM images_aliases a JOIN projects ON projects.id = a.project_id JOIN images ON images.id = a.image_id`;

/** Aliases of a project by name. */
export async function listAliases(reader: Reader, project: string): Promise<readonly ImageAliasRecord[]> {
  return (await reader.all<Row>(`${select} WHERE projects.name = ? ORDER BY a.name`, [project])).map(fromRow);
}

export async function findAlias(reader: Reader, project: string, name: string): Promise<ImageAliasRecord | undefined> {
  const row = await reader.get<Row>(`${select} WHERE projects.name = ? AND a.name = ?`, [project, name]);
  return row && fromRow(row);
}

export async function getAlias(reader: Reader, project: string, name: string): Promise<ImageAliasRecord> {
  const alias = await findAlias(reader, project, name);
  if (!alias) throw notFound('Image alias', name);
  return alias;
}

/** Throws "already-exists" when the name is taken. */
export async function insertAlias(
  tx: Transaction,
  project: string,
  alias: Pick<ImageAliasRecord, 'name' | 'description' | 'imageId'>,
): Promise<void> {
  await unlessTaken(
    alias.name,
    tx.run(
      `INSERT INTO images_aliases (project_id, name, image_id, description)
       VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?, ?)`,
      [project, alias.name, alias.imageId, alias.description],
    ),
  );
}

/** Throws "already-exists" when the new name is taken. */
export async function saveAlias(
  tx: Transaction,
  id: number,
  alias: Pick<ImageAliasRecord, 'name' | 'description' | 'imageId'>,
): Promise<void> {
  await unlessTaken(
    alias.name,
    tx.run('UPDATE images_aliases SET name = ?, image_id = ?, description = ? WHERE id = ?', [
      alias.name,
      alias.imageId,
      alias.description,
      id,
    ]),
  );
}

export async function deleteAliasRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM images_aliases WHERE id = ?', [id]);
}

export function aliasToApi({ name, description, target }: ImageAliasRecord): ImageAliasEntry {
  return { name, description, target, type: 'container' };
}

async function unlessTaken(name: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw error instanceof ConflictError && error.kind === 'unique' ? alreadyExists('Image alias', name) : error;
  }
}

function fromRow(row: Row): ImageAliasRecord {
  return { ...row, public: row.public === 1 };
}
