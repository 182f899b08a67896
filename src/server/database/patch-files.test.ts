import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StatePaths } from '../paths.ts';
import { applyPatches } from './patch-files.ts';
import { SqliteDatabase } from './sqlite.ts';

let paths: StatePaths;
let folder: string;
let database: SqliteDatabase;
beforeEach(async () => {
  paths = new StatePaths(await mkdtemp(path.join(tmpdir(), 'patches-')));
  folder = path.dirname(paths.localDatabase);
  const migrations = ['CREATE TABLE t (name TEXT NOT NULL UNIQUE) STRICT;'];
  database = await SqliteDatabase.open({ file: paths.localDatabase, migrations });
});
afterEach(async () => {
  await database.close();
  await rm(paths.root, { recursive: true, force: true });
});

const rows = (): Promise<readonly unknown[]> => database.read(reader => reader.all('SELECT name FROM t'));
const apply = (): Promise<void> => applyPatches(paths, { global: database, local: database });

test('a patch is run once', async () => {
  await writeFile(path.join(folder, 'patch.local.sql'), "INSERT INTO t VALUES ('a;b'); INSERT INTO t VALUES ('c');\n");
  await apply();
  await apply();
  expect(await rows()).toEqual([{ name: 'a;b' }, { name: 'c' }]);
  expect(await readdir(folder)).not.toContain('patch.local.sql');
});

test('a patch that fails changes nothing, stays, and is named', async () => {
  await writeFile(path.join(folder, 'patch.global.sql'), "INSERT INTO t VALUES ('a'); INSERT INTO nothere VALUES (1);");
  await expect(apply()).rejects.toMatchObject({ code: 'failed-precondition', message: /patch\.global\.sql.*nothere/ });
  expect(await rows()).toEqual([]);
  expect(await readdir(folder)).toContain('patch.global.sql');
});
