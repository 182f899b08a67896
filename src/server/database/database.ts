/** Values of SQL parameters and columns. Integers stay below 2^53. */
export type SqlValue = string | number | null | Uint8Array;

export interface Reader {
  /** all rows of a SELECT or WITH */
  all<T>(sql: string, parameters?: readonly SqlValue[]): Promise<T[]>;
  get<T>(sql: string, parameters?: readonly SqlValue[]): Promise<T | undefined>;
}

export interface Transaction extends Reader {
  /** a statement that writes; RETURNING is refused, as not every engine has it */
  run(sql: string, parameters?: readonly SqlValue[]): Promise<{ readonly lastId: number; readonly changes: number }>;
}

/**
 * Rows are reached only inside a transaction. `work` holds database calls only (no process, no network): it may run
 * more than once. Unique and foreign-key conflicts are thrown as `ConflictError`, a locked database as ApiError
 * "unavailable".
 */
export interface Database {
  /** one snapshot, for reading only */
  read<T>(work: (reader: Reader) => Promise<T>): Promise<T>;
  /** one transaction in the only write lane: committed when `work` resolves, rolled back when it rejects */
  write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A row that a constraint refused. */
export class ConflictError extends Error {
  readonly kind: 'unique' | 'foreign-key' | 'other';

  constructor(kind: 'unique' | 'foreign-key' | 'other', message: string) {
    super(message);
    this.name = 'ConflictError';
    this.kind = kind;
  }
}
