import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { deleteBackupRow, instanceBackups, listBackupRows } from '../database/backups.ts';
import { listInstanceRows } from '../database/instances.ts';
import { containerId } from '../paths.ts';
import type { Services } from '../services.ts';
import { temporaryPrefix } from './write-archive.ts';

/** Removes what a daemon that ended in the middle left: uploads, half-made backups, files without a row. */
export async function recoverBackups({ database, paths }: Pick<Services, 'database' | 'paths'>): Promise<void> {
  const kept = await database.write(async tx => {
    const owners = new Map((await listInstanceRows(tx)).map(record => [record.id, record]));
    const kept = new Set<string>();
    for (const { id, ownerId, name, ready } of await listBackupRows(tx, instanceBackups)) {
      const owner = owners.get(ownerId);
      if (!ready) await deleteBackupRow(tx, instanceBackups, id);
      else if (owner) kept.add(path.join(paths.instanceBackups(containerId(owner.project, owner.name)), name));
    }
    return kept;
  });
  for (const name of await namesIn(paths.backups)) {
    if (name.startsWith(temporaryPrefix)) await rm(path.join(paths.backups, name), { force: true });
  }
  const instances = path.join(paths.backups, 'instances');
  for (const folder of await namesIn(instances)) {
    for (const name of await namesIn(path.join(instances, folder))) {
      const file = path.join(instances, folder, name);
      if (!kept.has(file)) await rm(file, { recursive: true, force: true });
    }
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => []);
}
