import { chmod, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { Lane } from '#base/lane.ts';
import type { Database, Reader, SqlValue, Transaction } from './database.ts';
import { migrate, type Migrations } from './migrations.ts';
import { SqliteConnection } from './sqlite-connection.ts';

export interface SqliteOptions {
  readonly file: string;
  readonly migrations: Migrations;
  /** read-only connections, 2 unless given */
  readonly readers?: number;
}

/** One file: a writer behind a lane of width 1, and readers that each serve one transaction at a time. */
export class SqliteDatabase implements Database {
  readonly #writer: SqliteConnection;
  readonly #readers: readonly SqliteConnection[];
  readonly #idle: SqliteConnection[];
  readonly #writeLane = new Lane(1);
  readonly #readLane: Lane;

  private constructor(writer: SqliteConnection, readers: readonly SqliteConnection[]) {
    this.#writer = writer;
    this.#readers = readers;
    this.#idle = [...readers];
    this.#readLane = new Lane(readers.length);
  }

  /** Opens or creates the file (0600, its folder 0700) and migrates it. "failed-precondition" when it is damaged. */
  static async open({ file, migrations, readers = 2 }: SqliteOptions): Promise<SqliteDatabase> {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await chmod(path.dirname(file), 0o700);
    await (await open(file, 'a', 0o600)).close();
    await chmod(file, 0o600);
    const writer = await SqliteConnection.open(file, false);
    const reading: SqliteConnection[] = [];
    try {
      await prepareFile(writer, file);
      await migrate(writer, file, migrations);
      for (let count = 0; count < readers; count += 1) reading.push(await SqliteConnection.open(file, true));
      return new SqliteDatabase(writer, reading);
    } catch (error) {
      await Promise.allSettled([...reading, writer].map(connection => connection.close()));
      throw error;
    }
  }

  read<T>(work: (reader: Reader) => Promise<T>): Promise<T> {
    return this.#readLane.run(async () => {
      const connection = this.#idle.pop();
      if (!connection) throw new Error('The read lane let in more work than there are connections');
      try {
        return await transact(connection, 'BEGIN', () => work(readerOf(connection)));
      } finally {
        this.#idle.push(connection);
      }
    });
  }

  write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const connection = this.#writer;
    const transaction: Transaction = {
      ...readerOf(connection),
      run: async (sql, parameters = []) => {
        refuseReturning(sql);
        return await connection.run(sql, parameters);
      },
    };
    return this.#writeLane.run(() => transact(connection, 'BEGIN IMMEDIATE', () => work(transaction)));
  }

  async close(): Promise<void> {
    await this.#writeLane.run(async () => {
      await Promise.all(this.#readers.map(reader => reader.close()));
      await this.#writer.close();
    });
  }
}

async function transact<T>(connection: SqliteConnection, begin: string, work: () => Promise<T>): Promise<T> {
  await connection.execute(begin);
  try {
    const result = await work();
    await connection.execute('COMMIT');
    return result;
  } catch (error) {
    // SQLite may have rolled back by itself (disk full, I/O error); the first error is the one that counts
    await connection.execute('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

function readerOf(connection: SqliteConnection): Reader {
  const all = async <T>(sql: string, parameters: readonly SqlValue[] = []): Promise<T[]> => {
    refuseReturning(sql);
    if (!/^\s*(SELECT|WITH)\b/i.test(sql)) throw new Error(`Only SELECT and WITH read rows: ${sql}`);
    return await connection.all<T>(sql, parameters);
  };
  return {
    all,
    get: async <T>(sql: string, parameters?: readonly SqlValue[]) => (await all<T>(sql, parameters))[0],
  };
}

/** dqlite answers it as if it worked and aborts at the next write, so no engine takes it. */
function refuseReturning(sql: string): void {
  if (/\bRETURNING\b/i.test(sql.replace(/'(?:[^']|'')*'/g, "''"))) throw new Error(`RETURNING is not portable: ${sql}`);
}

async function prepareFile(connection: SqliteConnection, file: string): Promise<void> {
  try {
    await connection.execute('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    const problems = await connection.all<{ quick_check: string }>('PRAGMA quick_check(1)', []);
    if (problems[0]?.quick_check === 'ok') return;
    throw new Error(problems[0]?.quick_check ?? 'quick_check gave no answer');
  } catch (error) {
    if (ApiError.is(error)) throw error;
    throw new ApiError(
      'failed-precondition',
      `The database "${file}" is damaged (${(error as Error).message}); put a backup in its place, or move it away to start empty`,
      { cause: error },
    );
  }
}
