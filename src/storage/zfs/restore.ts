import type { Snapshot, Volume } from '../driver.ts';
import { missing, spendingSpace } from '../errors.ts';
import { volumeFolders, volumeKinds } from '../layout.ts';
import { ensureBranches, locateSnapshot, locateSnapshots } from './branches.ts';
import { cloneTree } from './copying.ts';
import { datasetIn, rootDataset, volumeDataset, type ZfsContext } from './datasets.ts';
import { destroySnapshot, discardDataset } from './deleted.ts';
import { unmount } from './mounting.ts';
import { copySettings } from './quota.ts';
import { branchName } from './snapshots.ts';
import { hasVolume } from './volumes.ts';
import { zfs, zfsTable } from './zfs-command.ts';

/** Prefix of a restored state that waits for its volume's name; the name follows. */
const restored = '.temporary-restored-';

/**
 * Puts the snapshot's content in the volume's place. The newest state of the line is rolled back to; an older one is
 * cloned and promoted, and what is newer stays as a branch of the volume.
 */
export async function restoreSnapshot(context: ZfsContext, snapshot: Snapshot): Promise<void> {
  const { volume } = snapshot;
  const dataset = volumeDataset(context, volume);
  const source = await locateSnapshot(context, snapshot);
  if (source === undefined) throw missing((await hasVolume(context, volume)) ? snapshot : volume);
  await unmount(context, volume);
  if (await canRollBack(dataset, source)) {
    await zfs(['rollback', source]);
    return;
  }
  const fresh = datasetIn(context, volumeFolders[volume.kind], `${restored}${volume.name}`);
  await discardDataset(context, fresh);
  try {
    await spendingSpace(`restoring snapshot "${snapshot.name}"`, () => cloneTree(source, fresh));
    await copySettings(dataset, fresh);
  } catch (error) {
    await discardDataset(context, fresh);
    throw error;
  }
  await promoteOver(fresh, dataset);
  await tidyBranch(context, volume, await exchange(context, volume, fresh));
}

/**
 * Puts a clone of the volume, made and filled beside it, in its place and deletes the snapshots of the volume that the
 * clone has its own of.
 */
export async function takePlace(
  context: ZfsContext,
  volume: Volume,
  fresh: string,
  replaced: readonly string[],
): Promise<void> {
  const dataset = volumeDataset(context, volume);
  const waiting = datasetIn(context, volumeFolders[volume.kind], `${restored}${volume.name}`);
  await discardDataset(context, waiting);
  await zfs(['rename', fresh, waiting]);
  const branch = await exchange(context, volume, waiting);
  for (const fullName of replaced) await destroySnapshot(fullName.replace(`${dataset}@`, `${branch}@`));
  // What is older goes to the new line, so that the old one need not stay for it. A whole copy has nothing to do with it.
  await promoteOver(dataset, branch);
  await tidyBranch(context, volume, branch);
}

/** The old content becomes a branch, whose name is returned. Once this has begun, the next mount of the pool ends it. */
async function exchange(context: ZfsContext, volume: Volume, waiting: string): Promise<string> {
  const dataset = volumeDataset(context, volume);
  const branch = `${await ensureBranches(context, volume)}/${branchName()}`;
  await zfs(['rename', dataset, branch]);
  await zfs(['rename', waiting, dataset]);
  return branch;
}

/** What the branch holds beyond its last snapshot is given back; a branch without snapshots goes. */
async function tidyBranch(context: ZfsContext, volume: Volume, branch: string): Promise<void> {
  const table = await zfsTable(['list', '-H', '-t', 'snapshot', '-s', 'createtxg', '-o', 'name', '-d', '1', branch]);
  const last = table.at(-1)?.[0];
  const kept = ((await locateSnapshots(context, volume)) ?? []).some(({ fullName }) =>
    fullName.startsWith(`${branch}@`),
  );
  if (!kept || last === undefined) await discardDataset(context, branch);
  else await zfs(['rollback', last]);
}

/** Finishes restores that were interrupted, or takes them back. `datasets` are all of the pool with their origins. */
export async function finishRestores(context: ZfsContext, datasets: ReadonlyMap<string, string>): Promise<void> {
  for (const kind of volumeKinds) {
    const prefix = `${rootDataset(context)}/${volumeFolders[kind]}/${restored}`;
    for (const fresh of datasets.keys()) {
      if (!fresh.startsWith(prefix) || fresh.slice(prefix.length).includes('/')) continue;
      const dataset = volumeDataset(context, { kind, name: fresh.slice(prefix.length) });
      if (datasets.has(dataset))
        await promoteOver(dataset, fresh); // its snapshots go back to it
      else await zfs(['rename', fresh, dataset]);
    }
  }
}

/** What a guest nested does not go back with the dataset that it is in. */
async function canRollBack(dataset: string, source: string): Promise<boolean> {
  const args = ['list', '-H', '-r', '-t', 'filesystem,snapshot', '-s', 'createtxg', '-o', 'name', dataset];
  const names = (await zfsTable(args)).map(([name = '']) => name);
  const isNested = (name: string): boolean => name.startsWith(`${dataset}/`);
  return !names.some(isNested) && names.findLast(name => name.includes('@')) === source;
}

/** Makes a tree of clones hold what it was cloned from, where that was of the other tree. */
async function promoteOver(clones: string, origins: string): Promise<void> {
  for (const [name = '', origin = ''] of await zfsTable([
    'list',
    '-H',
    '-r',
    '-t',
    'filesystem',
    '-o',
    'name,origin',
    clones,
  ]))
    if (isOf(origins, origin)) await zfs(['promote', name]);
}

/** True for a snapshot of a dataset or of one nested in it. */
function isOf(dataset: string, snapshot: string): boolean {
  return snapshot.startsWith(`${dataset}@`) || snapshot.startsWith(`${dataset}/`);
}
