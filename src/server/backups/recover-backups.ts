import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { deleteBackupRow, instanceBackups, listBackupRows, volumeBackups } from '../database/backups.ts';
import type { Transaction } from '../database/database.ts';
import { listInstanceRows } from '../database/instances.ts';
import { listVolumeRecords } from '../database/storage-volumes.ts';
import type { Services } from '../services.ts';
import { ownerOf } from './instance-backups.ts';
import type { BackupOwner } from './kept-backups.ts';
import { ownerOfVolume } from './volume-backups.ts';
import { temporaryPrefix } from './write-archive.ts';

/** Removes what a daemon that ended in the middle left: uploads, half-made backups, files without a row. */
export async function recoverBackups(services: Pick<Services, 'database' | 'paths'>): Promise<void> {
  const { database, paths } = services;
  const kept = await database.write(async tx => {
    const instances = (await listInstanceRows(tx)).map(record => ownerOf(services, record));
    const volumes = (await listVolumeRecords(tx)).map(record => ownerOfVolume(services, record));
    return new Set([
      ...(await keptFiles(tx, instanceBackups, instances)),
      ...(await keptFiles(tx, volumeBackups, volumes)),
    ]);
  });
  for (const name of await namesIn(paths.backups)) {
    if (name.startsWith(temporaryPrefix)) await rm(path.join(paths.backups, name), { force: true });
  }
  const folders = [path.join(paths.backups, 'instances'), ...(await foldersIn(path.join(paths.backups, 'custom')))];
  for (const folder of (await Promise.all(folders.map(foldersIn))).flat()) {
    for (const name of await namesIn(folder)) {
      const file = path.join(folder, name);
      if (!kept.has(file)) await rm(file, { recursive: true, force: true });
    }
  }
}

async function keptFiles(
  tx: Transaction,
  table: typeof instanceBackups,
  owners: readonly BackupOwner[],
): Promise<readonly string[]> {
  const folders = new Map(owners.map(({ id, folder }) => [id, folder]));
  const files: string[] = [];
  for (const { id, ownerId, name, ready } of await listBackupRows(tx, table)) {
    const folder = folders.get(ownerId);
    if (!ready) await deleteBackupRow(tx, table, id);
    else if (folder !== undefined) files.push(path.join(folder, name));
  }
  return files;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  return (await namesIn(folder)).map(name => path.join(folder, name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => []);
}
