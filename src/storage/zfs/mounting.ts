import { mkdir, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { Snapshot, Volume } from '../driver.ts';
import { missing } from '../errors.ts';
import { describeSource, isSnapshot, snapshotFolder, topMode, volumeFolders, volumeOf } from '../layout.ts';
import { mountedAt, mountsBelow, unmountFrom } from '../mounts.ts';
import { Folder, hasCode } from '../trees/folder.ts';
import { checkDatasetName, volumeDataset, type ZfsContext } from './datasets.ts';
import { locateSnapshot } from './branches.ts';
import { getProperties } from './zfs-command.ts';

export const readOnlyFlag = 1; // MS_RDONLY

/** Absolute path that a volume or snapshot is mounted at. */
export function folderOf(context: ZfsContext, source: Volume | Snapshot): string {
  const { kind, name } = volumeOf(source);
  const volume = checkDatasetName(name);
  return isSnapshot(source)
    ? path.join(context.mountPoint, snapshotFolder(kind), volume, checkDatasetName(source.name))
    : path.join(context.mountPoint, volumeFolders[kind], volume);
}

export async function mountVolume(context: ZfsContext, volume: Volume): Promise<string> {
  const folder = folderOf(context, volume);
  const dataset = volumeDataset(context, volume);
  if ((await mountedAt(folder)) === dataset) return folder;
  if ((await getProperties(dataset, ['type'])) === undefined) throw missing(volume);
  await mountDataset(dataset, folder);
  // What a copied or received tree brings is its maker's choice; that of a custom volume is what the guest sees.
  if (volume.kind !== 'custom') setTopMode(folder, volume.kind);
  return folder;
}

/** Several may read a snapshot at once: the last of them unmounts it. */
export async function mountSnapshot(context: ZfsContext, snapshot: Snapshot): Promise<string> {
  const folder = folderOf(context, snapshot);
  const mounted = context.mountedSnapshots.get(folder) ?? { users: 0, ready: mountLocated(context, snapshot, folder) };
  mounted.users += 1;
  context.mountedSnapshots.set(folder, mounted);
  try {
    await mounted.ready;
  } catch (error) {
    context.mountedSnapshots.delete(folder);
    throw error;
  }
  return folder;
}

export async function unmountSnapshot(context: ZfsContext, snapshot: Snapshot): Promise<void> {
  const mounted = context.mountedSnapshots.get(folderOf(context, snapshot));
  if (mounted) mounted.users -= 1;
  if (!mounted || mounted.users <= 0) await unmount(context, snapshot);
}

async function mountLocated(context: ZfsContext, snapshot: Snapshot, folder: string): Promise<void> {
  if ((await mountedAt(folder)) !== undefined) return;
  const located = await locateSnapshot(context, snapshot);
  if (located === undefined) throw missing(snapshot);
  await mountDataset(located, folder, readOnlyFlag);
}

/** Succeeds when it is not mounted; "busy" when something still uses it. */
export async function unmount(context: ZfsContext, source: Volume | Snapshot): Promise<void> {
  const folder = folderOf(context, source);
  context.mountedSnapshots.delete(folder);
  try {
    await unmountFolder(folder);
  } catch (error) {
    if (!hasCode(error, 'EBUSY')) throw error;
    throw new ApiError('busy', `${describeSource(source)} is in use: something has files in it open`, {
      cause: error,
    });
  }
}

/** Unmounts a volume and those of its snapshots that are mounted. */
export async function unmountAll(context: ZfsContext, volume: Volume, snapshots: readonly string[]): Promise<void> {
  for (const name of snapshots) await unmount(context, { volume, name });
  await unmount(context, volume);
  if (volume.kind !== 'image') await removeFolder(path.dirname(folderOf(context, { volume, name: 'any' })));
}

export async function mountDataset(dataset: string, folder: string, flags = 0): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await kernel.mount(dataset, folder, 'zfs', flags, '');
}

export async function unmountFolder(folder: string): Promise<void> {
  await unmountFrom(folder);
  await removeFolder(folder);
}

export function setTopMode(folder: string, kind: Volume['kind']): void {
  using top = Folder.open(folder);
  top.setMode(topMode(kind));
}

/** Unmounts all of a pool; "busy" when something still uses it. */
export async function unmountBelow(context: ZfsContext): Promise<void> {
  context.mountedSnapshots.clear();
  for (const folder of (await mountsBelow(context.mountPoint)).toReversed()) {
    try {
      await unmountFolder(folder);
    } catch (error) {
      if (!hasCode(error, 'EBUSY')) throw error;
      throw new ApiError('busy', `"${folder}" is in use: something has files in it open`, { cause: error });
    }
  }
}

/** Removes a folder of empty folders; what holds anything stays. Succeeds when it is gone. */
export async function removeEmptyFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  for (const entry of entries) if (entry.isDirectory()) await removeEmptyFolders(path.join(folder, entry.name));
  await removeFolder(folder);
}

async function removeFolder(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  });
}
