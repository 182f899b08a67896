import type { Database, Reader } from './database.ts';

export interface SqlResult {
  readonly type: 'select' | 'exec';
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  readonly rows_affected: number;
}

/** Runs SQL that an administrator typed: statements that read give rows, others the count of rows they changed. */
export async function runSql(database: Database, text: string): Promise<readonly SqlResult[]> {
  const results: SqlResult[] = [];
  for (const statement of splitStatements(text)) {
    if (/^\s*(SELECT|WITH)\b/i.test(statement)) {
      const rows = await database.read(reader => reader.all<Record<string, unknown>>(statement));
      const columns = Object.keys(rows[0] ?? {});
      results.push({
        type: 'select',
        columns,
        rows: rows.map(row => columns.map(column => row[column])),
        rows_affected: 0,
      });
    } else {
      const { changes } = await database.write(tx => tx.run(statement));
      results.push({ type: 'exec', columns: [], rows: [], rows_affected: changes });
    }
  }
  return results;
}

/** The statements that make the database again, as `.dump` of the sqlite3 program writes them. */
export async function dumpSql(database: Database, schemaOnly: boolean): Promise<string> {
  return await database.read(async reader => {
    const objects = await reader.all<{ type: string; name: string; sql: string }>(
      "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
    );
    const lines = ['PRAGMA foreign_keys=OFF;', 'BEGIN TRANSACTION;'];
    for (const { type, name, sql } of objects) {
      lines.push(`${sql};`);
      if (type === 'table' && !schemaOnly) lines.push(...(await insertsOf(reader, name)));
    }
    return [...lines, 'COMMIT;', ''].join('\n');
  });
}

async function insertsOf(reader: Reader, table: string): Promise<readonly string[]> {
  const columns = await reader.all<{ name: string }>('SELECT name FROM pragma_table_info(?)', [table]);
  const values = columns.map(({ name }) => `quote("${name}")`).join(" || ',' || ");
  const rows = await reader.all<{ line: string }>(`SELECT ${values} AS line FROM "${table}"`);
  return rows.map(({ line }) => `INSERT INTO ${table} VALUES(${line});`);
}

/** Splits at semicolons outside quotes. */
export function splitStatements(text: string): readonly string[] {
  const parts = text.match(/(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^;'"])+/g) ?? [];
  return parts.map(part => part.trim()).filter(part => part !== '');
}
