import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initialSchema } from './migrations/001-initial.ts';
import { SqliteDatabase } from './sqlite.ts';
import { dumpSql, runSql, splitStatements } from './sql-text.ts';
import { contractSchema, describeDatabase } from './testing/database-contract.ts';

let folder = '';
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sqlite-test-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});
const freshFile = (): string => path.join(folder, String((count += 1)), 'x.db');

describeDatabase('sqlite3', () => SqliteDatabase.open({ file: freshFile(), migrations: [contractSchema] }));

describe('the file', () => {
  test('is private, and so is its folder', async () => {
    const file = freshFile();
    const database = await SqliteDatabase.open({ file, migrations: [contractSchema] });
    await database.close();
    expect([(await stat(file)).mode & 0o777, (await stat(path.dirname(file))).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  test('is migrated once and keeps its rows', async () => {
    const file = freshFile();
    for (const migrations of [[contractSchema], [contractSchema, 'CREATE TABLE more (id INTEGER) STRICT']]) {
      const database = await SqliteDatabase.open({ file, migrations });
      await database.write(tx => tx.run('INSERT INTO parents (name) VALUES (?)', [String(migrations.length)]));
      await database.close();
    }
    const database = await SqliteDatabase.open({ file, migrations: [contractSchema, 'never run again'] });
    expect(await database.read(reader => reader.all('SELECT name FROM parents ORDER BY id'))).toEqual([
      { name: '1' },
      { name: '2' },
    ]);
    await database.close();
  });

  test('of a newer release is refused', async () => {
    const file = freshFile();
    await (await SqliteDatabase.open({ file, migrations: [contractSchema, 'SELECT 1'] })).close();
    await expect(SqliteDatabase.open({ file, migrations: [contractSchema] })).rejects.toThrow(/newer release/);
  });

  test('is left as it was when a migration fails', async () => {
    const file = freshFile();
    await expect(SqliteDatabase.open({ file, migrations: [contractSchema, 'CREATE NONSENSE'] })).rejects.toThrow();
    const database = await SqliteDatabase.open({ file, migrations: [contractSchema] });
    await database.close();
  });

  test('that is damaged is refused by its path', async () => {
    const file = freshFile();
    await (await SqliteDatabase.open({ file, migrations: [contractSchema] })).close();
    const bytes = await readFile(file);
    await writeFile(file, Buffer.from('This is no database '.repeat(bytes.length / 20)));
    await expect(SqliteDatabase.open({ file, migrations: [contractSchema] })).rejects.toThrow(
      `The database "${file}" is damaged`,
    );
  });
});

describe('typed SQL', () => {
  test('gives rows and counts, statement by statement', async () => {
    const database = await SqliteDatabase.open({ file: freshFile(), migrations: [contractSchema] });
    expect(await runSql(database, "INSERT INTO parents (name) VALUES ('a;b'); SELECT name FROM parents;")).toEqual([
      { type: 'exec', columns: [], rows: [], rows_affected: 1 },
      { type: 'select', columns: ['name'], rows: [['a;b']], rows_affected: 0 },
    ]);
    await database.close();
  });

  test('a dump makes the same database again', async () => {
    const database = await SqliteDatabase.open({ file: freshFile(), migrations: [initialSchema] });
    const dump = await dumpSql(database, false);
    await database.close();
    const statements = splitStatements(dump).filter(sql => /^(CREATE|INSERT)/.test(sql));
    const copy = await SqliteDatabase.open({ file: freshFile(), migrations: [] });
    for (const sql of statements) await copy.write(tx => tx.run(sql));
    expect(await dumpSql(copy, false)).toEqual(dump);
    await copy.close();
  });
});
