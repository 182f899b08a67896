import { readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { StatePaths } from '../paths.ts';
import type { Database } from './database.ts';
import { splitStatements } from './sql-text.ts';

/** A way back for administrators: each database and the file whose statements are run on it once, before anything else. */
export async function applyPatches(
  paths: StatePaths,
  databases: { readonly global: Database; readonly local: Database },
): Promise<void> {
  const folder = path.dirname(paths.localDatabase);
  await applyPatch(databases.local, path.join(folder, 'patch.local.sql'));
  await applyPatch(databases.global, path.join(folder, 'patch.global.sql'));
}

/** All of it or nothing; the file is set aside when it was run. Throws "failed-precondition" when it cannot be. */
async function applyPatch(database: Database, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return;
  try {
    await database.write(async tx => {
      for (const statement of splitStatements(text)) await tx.run(statement);
    });
  } catch (error) {
    throw new ApiError(
      'failed-precondition',
      `Cannot run "${file}": ${(error as Error).message}; nothing was changed, correct or remove the file`,
      { cause: error },
    );
  }
  await rm(`${file}.done`, { force: true });
  await rename(file, `${file}.done`);
}
