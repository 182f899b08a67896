import sqlite3 from 'sqlite3';
import { ApiError } from '#api/error.ts';
import { ConflictError, type SqlValue } from './database.ts';

interface RunResult {
  readonly lastId: number;
  readonly changes: number;
}

/** One sqlite3 connection with promises, mapped errors and statements prepared once per SQL text. */
export class SqliteConnection {
  readonly #database: sqlite3.Database;
  readonly #statements = new Map<string, Promise<sqlite3.Statement>>();

  private constructor(database: sqlite3.Database) {
    this.#database = database;
  }

  static async open(file: string, readOnly: boolean, busyTimeoutMs = 5000): Promise<SqliteConnection> {
    const mode = readOnly ? sqlite3.OPEN_READONLY : sqlite3.OPEN_READWRITE;
    const database = await new Promise<sqlite3.Database>((resolve, reject) => {
      const opening = new sqlite3.Database(file, mode, error => (error ? reject(error) : resolve(opening)));
    });
    database.configure('busyTimeout', busyTimeoutMs);
    return new SqliteConnection(database);
  }

  /** One or more statements without parameters and without rows. */
  async execute(sql: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#database.exec(sql, error => (error ? reject(mapError(error)) : resolve()));
    });
  }

  async all<T>(sql: string, parameters: readonly SqlValue[]): Promise<T[]> {
    const statement = await this.#prepare(sql);
    return await new Promise<T[]>((resolve, reject) => {
      statement.all<T>(parameters, (error, rows) => (error ? reject(mapError(error)) : resolve(rows)));
    });
  }

  async run(sql: string, parameters: readonly SqlValue[]): Promise<RunResult> {
    const statement = await this.#prepare(sql);
    return await new Promise<RunResult>((resolve, reject) => {
      statement.run(parameters, function (this: sqlite3.RunResult, error: Error | null) {
        if (error) reject(mapError(error));
        else resolve({ lastId: this.lastID, changes: this.changes });
      });
    });
  }

  async close(): Promise<void> {
    for (const statement of this.#statements.values()) (await statement).finalize();
    this.#statements.clear();
    await new Promise<void>((resolve, reject) => {
      this.#database.close(error => (error ? reject(error) : resolve()));
    });
  }

  async #prepare(sql: string): Promise<sqlite3.Statement> {
    let prepared = this.#statements.get(sql);
    if (!prepared) {
      prepared = new Promise((resolve, reject) => {
        const statement = this.#database.prepare(sql, error => (error ? reject(mapError(error)) : resolve(statement)));
      });
      this.#statements.set(sql, prepared);
      prepared.catch(() => this.#statements.delete(sql));
    }
    return await prepared;
  }
}

/** Errors of sqlite3 say the constraint's kind only in their text (result codes are not extended). */
function mapError(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'SQLITE_CONSTRAINT') {
    const kind = /UNIQUE|PRIMARY KEY/.test(error.message)
      ? 'unique'
      : /FOREIGN KEY/.test(error.message)
        ? 'foreign-key'
        : 'other';
    return new ConflictError(kind, error.message);
  }
  if (code === 'SQLITE_BUSY' || code === 'SQLITE_LOCKED')
    return new ApiError('unavailable', 'The database is locked by another program', { cause: error });
  if (code === 'SQLITE_FULL')
    return new ApiError('out-of-space', 'No space is left on the disk that holds the database', { cause: error });
  return error;
}
