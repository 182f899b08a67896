import { rename, rm } from 'node:fs/promises';
import type { StatePaths } from '../paths.ts';

/** Deletes the files of an instance's backups; their rows go with the instance's. */
export async function deleteBackupFolder(paths: StatePaths, containerId: string): Promise<void> {
  await rm(paths.instanceBackups(containerId), { recursive: true, force: true });
}

/** Succeeds when there are none. */
export async function renameBackupFolder(paths: StatePaths, from: string, to: string): Promise<void> {
  try {
    await rename(paths.instanceBackups(from), paths.instanceBackups(to));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
