import { ApiError } from '#api/error.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

/** SQL texts of a schema, oldest first; the number of applied ones is the file's user_version. */
export type Migrations = readonly string[];

/** Brings a database to the newest schema in one transaction; refuses one that a newer release has written. */
export async function migrate(connection: SqliteConnection, file: string, migrations: Migrations): Promise<void> {
  const version = await schemaVersion(connection);
  if (version > migrations.length)
    throw new ApiError(
      'failed-precondition',
      `The database "${file}" has schema ${String(version)}, but this release knows only ${String(migrations.length)}: ` +
        'it was written by a newer release; install that one',
    );
  if (version === migrations.length) return;
  await connection.execute('BEGIN IMMEDIATE');
  try {
    await connection.execute(
      'CREATE TABLE IF NOT EXISTS schema ' +
        '(id INTEGER PRIMARY KEY, version INTEGER NOT NULL UNIQUE, updated_at INTEGER NOT NULL) STRICT',
    );
    for (const [index, sql] of migrations.entries()) {
      if (index < version) continue;
      await connection.execute(sql);
      await connection.run('INSERT INTO schema (version, updated_at) VALUES (?, ?)', [
        index + 1,
        Math.floor(Date.now() / 1000),
      ]);
    }
    await connection.execute(`PRAGMA user_version = ${String(migrations.length)}`);
    await connection.execute('COMMIT');
  } catch (error) {
    await connection.execute('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function schemaVersion(connection: SqliteConnection): Promise<number> {
  const [row] = await connection.all<{ user_version: number }>('PRAGMA user_version', []);
  return row?.user_version ?? 0;
}
