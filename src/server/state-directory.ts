import { chmod, lstat, mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { SqliteConnection } from './database/sqlite-connection.ts';
import type { StatePaths } from './paths.ts';

/** The state directory, held by this process until `release` or its death. */
export interface HeldDirectory {
  release(): Promise<void>;
}

/** Makes the state directory ready; refuses one that another daemon runs on or that LXD itself has used. */
export async function holdStateDirectory(paths: StatePaths): Promise<HeldDirectory> {
  const database = path.dirname(paths.localDatabase);
  await mkdir(database, { recursive: true, mode: 0o711 });
  await Promise.all([chmod(paths.root, 0o711), chmod(database, 0o700)]);
  await refuseForeign(paths);
  return await hold(path.join(database, 'daemon.lock'), paths.root);
}

/** Folders that tools around LXD look into, with their modes; guests' roots must be able to pass some. */
const folders: readonly (readonly [name: string, mode: number])[] = [
  ['backups', 0o700],
  ['backups/custom', 0o700],
  ['backups/instances', 0o700],
  ['cache', 0o700],
  ['containers', 0o711],
  ['devices', 0o711],
  ['devlxd', 0o755],
  ['disks', 0o700],
  ['images', 0o700],
  ['logs', 0o700],
  ['networks', 0o711],
  ['security', 0o700],
  ['security/seccomp', 0o700],
  ['shmounts', 0o711],
  ['snapshots', 0o700],
  ['storage-pools', 0o711],
];

/** Makes the folders of the state directory as far as they are missing. */
export async function makeFolders({ root }: StatePaths): Promise<void> {
  for (const [name, mode] of folders) {
    // one that lies in a volume is linked, and there when its pool is
    if (await isLink(path.join(root, name.split('/')[0] ?? ''))) continue;
    await mkdir(path.join(root, name), { recursive: true, mode });
  }
}

async function isLink(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => undefined))?.isSymbolicLink() ?? false;
}

/** SQLite's lock on a file of its own: the kernel lets go of it when the process dies. */
async function hold(file: string, root: string): Promise<HeldDirectory> {
  await (await open(file, 'a', 0o600)).close();
  const connection = await SqliteConnection.open(file, false, 1000);
  try {
    await connection.execute('BEGIN EXCLUSIVE');
  } catch (error) {
    await connection.close();
    throw new ApiError('failed-precondition', `Another daemon is running on "${root}"`, { cause: error });
  }
  return { release: () => connection.close() };
}

async function refuseForeign(paths: StatePaths): Promise<void> {
  const refuse = (what: string): never => {
    throw new ApiError(
      'failed-precondition',
      `The directory "${paths.root}" belongs to LXD (it holds ${what}); set LXD_LIKE_DIR to a directory of its own`,
    );
  };
  const raft = (await names(path.dirname(paths.globalDatabase))).find(name =>
    /^(metadata\d|open-\d+|snapshot-)/.test(name),
  );
  if (raft) refuse(`the raft log database/global/${raft}`);
  if (!(await names(path.dirname(paths.localDatabase))).includes(path.basename(paths.localDatabase))) return;
  if (await hasRaftTable(paths.localDatabase)) refuse('the table "raft_nodes" in database/local.db');
}

async function hasRaftTable(file: string): Promise<boolean> {
  const connection = await SqliteConnection.open(file, true);
  try {
    const rows = await connection.all("SELECT 1 FROM sqlite_master WHERE name = 'raft_nodes'", []);
    return rows.length > 0;
  } catch {
    return false; // a damaged file is reported when it is opened for good
  } finally {
    await connection.close();
  }
}

async function names(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
