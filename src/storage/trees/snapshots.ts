import path from 'node:path';
import type { FillVolume, Snapshot, Volume } from '../driver.ts';
import { missing, spendingSpace, taken } from '../errors.ts';
import { Folder } from './folder.ts';
import { checkName, isTemporary, snapshotFolder, temporaryName, topMode, volumeFolders } from '../layout.ts';
import {
  type TreeContext,
  destroyLater,
  discard,
  ensureSnapshots,
  findSnapshots,
  openTop,
  openVolumes,
} from './trees.ts';
import { keepMode } from './volumes.ts';

export async function createSnapshot(context: TreeContext, snapshot: Snapshot): Promise<void> {
  using source = openTop(context, snapshot.volume);
  await addSnapshot(context, snapshot, (parent, name) => context.operations.copy(source, parent, name, true));
}

export async function cloneSnapshot(context: TreeContext, source: Snapshot, target: Snapshot): Promise<void> {
  using from = openTop(context, source);
  await addSnapshot(context, target, (parent, name) => context.operations.copy(from, parent, name, true));
}

export async function fillSnapshot(context: TreeContext, target: Snapshot, fill: FillVolume): Promise<void> {
  await addSnapshot(context, target, async (parent, name) => {
    await context.operations.create(parent, name);
    using top = parent.child(name);
    top.setMode(topMode(target.volume.kind));
    await fill(path.join(context.mountPoint, snapshotPath(target.volume), name));
    await context.operations.seal(top);
  });
}

/** `make` makes a subvolume of a temporary name, which gets the snapshot's when it is whole. */
export async function addSnapshot(
  context: TreeContext,
  snapshot: Snapshot,
  make: (parent: Folder, name: string) => Promise<void>,
): Promise<void> {
  const name = checkName(snapshot.name);
  using _volume = openTop(context, snapshot.volume);
  using parent = ensureSnapshots(context, snapshot.volume);
  if (parent.has(name)) throw taken(snapshot);
  const half = temporaryName();
  try {
    await spendingSpace(`creating snapshot "${snapshot.volume.name}/${name}"`, () => make(parent, half));
    parent.rename(half, name);
  } catch (error) {
    await context.operations.destroy(parent, half);
    throw error;
  }
}

export function deleteSnapshot(context: TreeContext, snapshot: Snapshot): void {
  discard(context, snapshotPath(snapshot.volume), checkName(snapshot.name));
}

export function renameSnapshot(context: TreeContext, snapshot: Snapshot, newName: string): void {
  using parent = findSnapshots(context, snapshot.volume);
  if (!parent?.has(checkName(snapshot.name))) throw missing(snapshot);
  if (parent.has(checkName(newName))) throw taken({ ...snapshot, name: newName });
  parent.rename(snapshot.name, newName);
}

/** The new content is made beside the old and exchanged with it, so that one of them is always whole and in place. */
export async function restoreSnapshot(context: TreeContext, snapshot: Snapshot): Promise<void> {
  using source = openTop(context, snapshot);
  using old = openTop(context, snapshot.volume);
  using parent = openVolumes(context, snapshot.volume.kind);
  const beside = temporaryName();
  try {
    await spendingSpace(`restoring snapshot "${snapshot.name}"`, () =>
      context.operations.copy(source, parent, beside, false),
    );
    using fresh = parent.child(beside);
    keepMode(parent, beside, snapshot.volume.kind);
    await context.operations.succeed(old, fresh);
    parent.exchange(beside, snapshot.volume.name);
  } catch (error) {
    await context.operations.destroy(parent, beside);
    throw error;
  }
  destroyLater(context, volumeFolders[snapshot.volume.kind], beside);
}

/** Oldest first. */
export function listSnapshots(context: TreeContext, volume: Volume): readonly string[] {
  using _top = openTop(context, volume);
  if (volume.kind === 'image') return [];
  using parent = findSnapshots(context, volume);
  const names = parent?.folders().filter(name => !isTemporary(name)) ?? [];
  return names
    .map(name => ({ name, age: parent ? ageOf(context, parent, name) : 0n }))
    .sort((a, b) => (a.age < b.age ? -1 : 1))
    .map(({ name }) => name);
}

function ageOf(context: TreeContext, parent: Folder, name: string): bigint {
  using snapshot = parent.child(name);
  return context.operations.age(snapshot);
}

function snapshotPath(volume: Volume): string {
  return path.join(snapshotFolder(volume.kind), checkName(volume.name));
}
