import path from 'node:path';
import type { Snapshot, Volume } from '../driver.ts';
import { missing, spendingSpace, taken } from '../errors.ts';
import { Folder } from './folder.ts';
import { checkName, snapshotFolders, temporaryName, topMode, volumeFolders } from '../layout.ts';
import { type TreeContext, discard, findTop, openTop, openVolumes, relativePath } from './trees.ts';

export async function createVolume(context: TreeContext, volume: Volume): Promise<void> {
  await addVolume(context, volume, async (parent, name) => {
    await context.operations.create(parent, name);
    using top = parent.child(name);
    top.setMode(topMode(volume.kind));
  });
}

export async function cloneVolume(context: TreeContext, source: Volume | Snapshot, target: Volume): Promise<void> {
  using from = openTop(context, source);
  await addVolume(context, target, (parent, name) => context.operations.copy(from, parent, name, false));
}

/** `make` makes a subvolume of a temporary name, which gets the volume's when it is whole. */
export async function addVolume(
  context: TreeContext,
  volume: Volume,
  make: (parent: Folder, name: string) => Promise<void>,
): Promise<void> {
  const name = checkName(volume.name);
  using parent = openVolumes(context, volume.kind);
  if (parent.has(name)) throw taken(volume);
  const half = temporaryName();
  try {
    await spendingSpace(`creating storage volume "${name}"`, () => make(parent, half));
    keepMode(parent, half, volume.kind);
    parent.rename(half, name);
  } catch (error) {
    await context.operations.destroy(parent, half);
    throw error;
  }
}

/** The top folder of a custom volume is the guest's, as everything in it; that of any other is the daemon's own. */
export function keepMode(parent: Folder, name: string, kind: Volume['kind']): void {
  if (kind === 'custom') return;
  using top = parent.child(name);
  top.setMode(topMode(kind)); // that of a received tree is the sender's choice
}

/** The snapshots first: a volume without them can be deleted again, snapshots without their volume cannot be found. */
export function deleteVolume(context: TreeContext, volume: Volume): void {
  const name = checkName(volume.name);
  const snapshots = snapshotFolders[volume.kind];
  if (snapshots !== undefined) discard(context, snapshots, name);
  discard(context, volumeFolders[volume.kind], name);
}

/** The snapshots first, so that a rename that was interrupted is finished by asking again. */
export function renameVolume(context: TreeContext, volume: Volume, newName: string): void {
  const name = checkName(volume.name);
  using parent = openVolumes(context, volume.kind);
  if (!parent.has(name)) throw missing(volume);
  if (parent.has(checkName(newName))) throw taken({ ...volume, name: newName });
  const snapshots = snapshotFolders[volume.kind];
  if (snapshots !== undefined) {
    using root = Folder.open(context.mountPoint);
    using folder = root.child(snapshots);
    if (folder.has(name)) folder.rename(name, newName);
  }
  parent.rename(name, newName);
}

export function hasVolume(context: TreeContext, volume: Volume): boolean {
  using top = findTop(context, volume);
  return top !== undefined;
}

/** Everything in the pool is reachable while it is mounted; the folder is opened to see that it is one. */
export function pathOf(context: TreeContext, source: Volume | Snapshot): string {
  using _top = openTop(context, source);
  return path.join(context.mountPoint, relativePath(source));
}
