import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, type Database } from '../database.ts';

export const contractSchema = `
CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE children (
  id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents (id), data BLOB) STRICT;
`;

/** What every engine must do; `open` gives an empty database with the schema above. */
export function describeDatabase(engine: string, open: () => Promise<Database>): void {
  describe(`database contract on ${engine}`, () => {
    let database: Database;
    beforeEach(async () => {
      database = await open();
    });
    afterEach(async () => {
      await database.close();
    });
    const insert = (name: string): Promise<unknown> =>
      database.write(tx => tx.run('INSERT INTO parents (name) VALUES (?)', [name]));
    const names = async (): Promise<readonly string[]> =>
      (await database.read(reader => reader.all<{ name: string }>('SELECT name FROM parents ORDER BY name'))).map(
        row => row.name,
      );

    test('write() commits and says the new id and the count of changes', async () => {
      const result = await database.write(tx => tx.run('INSERT INTO parents (name) VALUES (?)', ['a']));
      expect(result).toEqual({ lastId: 1, changes: 1 });
      expect(await names()).toEqual(['a']);
    });

    test('write() rolls back when its work fails, and the next one works', async () => {
      const failing = database.write(async tx => {
        await tx.run('INSERT INTO parents (name) VALUES (?)', ['a']);
        throw new Error('changed my mind');
      });
      await expect(failing).rejects.toThrow('changed my mind');
      await insert('b');
      expect(await names()).toEqual(['b']);
    });

    test('a write sees its own rows, a reader only committed ones', async () => {
      await database.write(async tx => {
        await tx.run('INSERT INTO parents (name) VALUES (?)', ['a']);
        expect(await tx.get('SELECT name FROM parents')).toEqual({ name: 'a' });
        expect(await names()).toEqual([]);
      });
      expect(await names()).toEqual(['a']);
    });

    test('read() is one snapshot', async () => {
      await database.read(async reader => {
        expect(await reader.all('SELECT name FROM parents')).toEqual([]);
        await insert('a');
        expect(await reader.all('SELECT name FROM parents')).toEqual([]);
      });
      expect(await names()).toEqual(['a']);
    });

    test('get() gives undefined for no row', async () => {
      expect(await database.read(reader => reader.get('SELECT name FROM parents'))).toBeUndefined();
    });

    test('a taken name is a unique conflict', async () => {
      await insert('a');
      const error = await insert('a').catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConflictError);
      expect((error as ConflictError).kind).toBe('unique');
    });

    test('a missing parent is a foreign-key conflict', async () => {
      const error = await database
        .write(tx => tx.run('INSERT INTO children (parent_id) VALUES (7)'))
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConflictError);
      expect((error as ConflictError).kind).toBe('foreign-key');
    });

    test('RETURNING is refused, as text in quotes is not', async () => {
      await expect(
        database.write(tx => tx.run("INSERT INTO parents (name) VALUES ('a') RETURNING id")),
      ).rejects.toThrow('RETURNING');
      await database.write(tx => tx.run("INSERT INTO parents (name) VALUES ('returning guest')"));
      expect(await names()).toEqual(['returning guest']);
    });

    test('a statement that writes is refused where rows are read', async () => {
      await expect(database.read(reader => reader.all('DELETE FROM parents'))).rejects.toThrow('Only SELECT');
    });

    test('bytes and null come back as they went in', async () => {
      await insert('a');
      await database.write(async tx => {
        await tx.run('INSERT INTO children (parent_id, data) VALUES (1, ?)', [Buffer.from([0, 1, 255])]);
        await tx.run('INSERT INTO children (parent_id, data) VALUES (1, ?)', [null]);
      });
      const rows = await database.read(reader => reader.all<{ data: Uint8Array | null }>('SELECT data FROM children'));
      expect(rows.map(row => row.data && [...row.data])).toEqual([[0, 1, 255], null]);
    });

    test('fifty writers and readers at once neither mix nor block', async () => {
      const numbers = Array.from({ length: 50 }, (_, index) => index);
      await Promise.all(
        numbers.flatMap(number => [
          database.write(async tx => {
            const row = await tx.get<{ count: number }>('SELECT count(*) AS count FROM parents');
            await tx.run('INSERT INTO parents (name) VALUES (?)', [`${String(row?.count)}-${String(number)}`]);
          }),
          names(),
        ]),
      );
      const counted = (await names()).map(name => Number(name.split('-')[0])).sort((a, b) => a - b);
      expect(counted).toEqual(numbers);
    });
  });
}
