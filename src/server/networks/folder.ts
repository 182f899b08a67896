import { rename, rm } from 'node:fs/promises';
import type { StatePaths } from '../paths.ts';

/** Removes what a network kept on disk; succeeds when there is nothing. */
export async function removeFolder(paths: Pick<StatePaths, 'network'>, name: string): Promise<void> {
  await rm(paths.network(name), { recursive: true, force: true });
}

/** Gives a network's folder to its new name; succeeds when there is none. */
export async function moveFolder(paths: Pick<StatePaths, 'network'>, name: string, newName: string): Promise<void> {
  await removeFolder(paths, newName);
  try {
    await rename(paths.network(name), paths.network(newName));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
