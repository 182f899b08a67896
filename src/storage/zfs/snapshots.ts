import path from 'node:path';
import type { FillVolume, Snapshot, Volume } from '../driver.ts';
import { missing, spendingSpace, taken } from '../errors.ts';
import { snapshotFolder, temporaryName } from '../layout.ts';
import { ensureBranches, locateSnapshot, locateSnapshots, pruneBranch } from './branches.ts';
import { copyDataset } from './copying.ts';
import { ownProperties, snapshotLabel, volumeDataset, type ZfsContext } from './datasets.ts';
import { destroySnapshot, discardDataset } from './deleted.ts';
import { mountDataset, setTopMode, unmount, unmountFolder } from './mounting.ts';
import { creationProperties, hasVolume } from './volumes.ts';
import { failedAs, nameError, zfs } from './zfs-command.ts';

export async function createSnapshot(context: ZfsContext, snapshot: Snapshot): Promise<void> {
  await assertFree(context, snapshot);
  const fullName = `${volumeDataset(context, snapshot.volume)}@${snapshotLabel(snapshot)}`;
  try {
    await spendingSpace(`creating snapshot "${snapshot.volume.name}/${snapshot.name}"`, () =>
      zfs(['snapshot', '-r', fullName]),
    );
  } catch (error) {
    if (failedAs(error, 'taken')) throw taken(snapshot);
    throw nameError(error, snapshot.name);
  }
}

export async function cloneSnapshot(context: ZfsContext, source: Snapshot, target: Snapshot): Promise<void> {
  await addBranch(context, target, dataset => copyDataset(context, source, dataset));
}

export async function fillSnapshot(context: ZfsContext, target: Snapshot, fill: FillVolume): Promise<void> {
  await addBranch(context, target, async dataset => {
    await zfs(['create', ...ownProperties, ...creationProperties(context), dataset]);
    const folder = branchFolder(context, target.volume, dataset);
    await mountDataset(dataset, folder);
    try {
      setTopMode(folder, target.volume.kind);
      await fill(folder);
    } finally {
      await unmountFolder(folder);
    }
  });
}

/** `make` makes a dataset of a temporary name; it becomes a branch when it is whole and has the snapshot. */
export async function addBranch(
  context: ZfsContext,
  target: Snapshot,
  make: (dataset: string) => Promise<void>,
): Promise<void> {
  await assertFree(context, target);
  const parent = await ensureBranches(context, target.volume);
  const half = `${parent}/${temporaryName()}`;
  try {
    await spendingSpace(`creating snapshot "${target.volume.name}/${target.name}"`, () => make(half));
    await zfs(['snapshot', '-r', `${half}@${snapshotLabel(target)}`]);
    await zfs(['rename', half, `${parent}/${branchName()}`]);
  } catch (error) {
    await discardDataset(context, half);
    throw nameError(error, target.name);
  }
}

export async function deleteSnapshot(context: ZfsContext, snapshot: Snapshot): Promise<void> {
  const fullName = await locateSnapshot(context, snapshot);
  if (fullName === undefined) return;
  await unmount(context, snapshot);
  await destroySnapshot(fullName);
  await pruneBranch(context, snapshot.volume, fullName);
}

export async function renameSnapshot(context: ZfsContext, snapshot: Snapshot, newName: string): Promise<void> {
  const target = { ...snapshot, name: newName };
  const fullName = await locateSnapshot(context, snapshot);
  if (fullName === undefined) throw missing(snapshot);
  if ((await locateSnapshot(context, target)) !== undefined) throw taken(target);
  await unmount(context, snapshot);
  try {
    await zfs(['rename', '-r', fullName, `${fullName.split('@')[0] ?? ''}@${snapshotLabel(target)}`]);
  } catch (error) {
    throw nameError(error, newName);
  }
}

/** Oldest first. */
export async function listSnapshots(context: ZfsContext, volume: Volume): Promise<readonly string[]> {
  const located = await locateSnapshots(context, volume);
  if (located === undefined) throw missing(volume);
  return located.map(({ name }) => name);
}

/** A name for a branch, which nobody sees but in the tools of ZFS. */
export function branchName(): string {
  return temporaryName().replace(/^\.temporary-/, 'branch-');
}

async function assertFree(context: ZfsContext, target: Snapshot): Promise<void> {
  if (!(await hasVolume(context, target.volume))) throw missing(target.volume);
  if ((await locateSnapshot(context, target)) !== undefined) throw taken(target);
}

function branchFolder(context: ZfsContext, volume: Volume, dataset: string): string {
  return path.join(context.mountPoint, snapshotFolder(volume.kind), volume.name, path.basename(dataset));
}
