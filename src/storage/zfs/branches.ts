import type { Snapshot, Volume } from '../driver.ts';
import { isTemporary } from '../layout.ts';
import { branchesDataset, snapshotLabel, snapshotNameIn, volumeDataset, type ZfsContext } from './datasets.ts';
import { discardDataset } from './deleted.ts';
import { datasetExists, failedAs, zfs, zfsTable } from './zfs-command.ts';

/** A snapshot of a volume: its full name in ZFS and the transaction that made it. */
export interface LocatedSnapshot {
  readonly name: string;
  readonly fullName: string;
  readonly made: number;
}

/** Full name of a snapshot, on the volume's own line or on a branch; undefined when there is none. */
export async function locateSnapshot(context: ZfsContext, snapshot: Snapshot): Promise<string | undefined> {
  const onLine = `${volumeDataset(context, snapshot.volume)}@${snapshotLabel(snapshot)}`;
  if (await datasetExists(onLine)) return onLine;
  const onBranches = await snapshotsBelow(branchesDataset(context, snapshot.volume), 2);
  return onBranches.find(found => found.name === snapshot.name)?.fullName;
}

/** All snapshots that users made, oldest first; undefined when there is no such volume. */
export async function locateSnapshots(
  context: ZfsContext,
  volume: Volume,
): Promise<readonly LocatedSnapshot[] | undefined> {
  const dataset = volumeDataset(context, volume);
  if (!(await datasetExists(dataset))) return undefined;
  if (volume.kind === 'image') return [];
  const found = [...(await snapshotsBelow(dataset, 1)), ...(await snapshotsBelow(branchesDataset(context, volume), 2))];
  // One on the line wins over one of its name that was about to be deleted from a branch.
  const byName = new Map(found.toReversed().map(snapshot => [snapshot.name, snapshot]));
  return [...byName.values()].sort((a, b) => a.made - b.made);
}

/** The dataset that holds branches; made with the first. */
export async function ensureBranches(context: ZfsContext, volume: Volume): Promise<string> {
  const dataset = branchesDataset(context, volume);
  try {
    await zfs(['create', '-p', '-o', 'mountpoint=legacy', '-o', 'canmount=off', dataset]);
  } catch (error) {
    if (!failedAs(error, 'taken')) throw error;
  }
  return dataset;
}

/** Deletes the branch that held a snapshot when it was its last. */
export async function pruneBranch(context: ZfsContext, volume: Volume, snapshotFullName: string): Promise<void> {
  const branch = snapshotFullName.slice(0, snapshotFullName.indexOf('@'));
  if (branch === volumeDataset(context, volume)) return;
  if ((await snapshotsBelow(branch, 1)).length > 0) return;
  await discardDataset(context, branch);
}

async function snapshotsBelow(dataset: string, depth: number): Promise<readonly LocatedSnapshot[]> {
  const args = ['list', '-H', '-p', '-t', 'snapshot', '-o', 'name,createtxg', '-d', String(depth), dataset];
  const table = await zfsTable(args).catch((error: unknown) => {
    if (failedAs(error, 'missing')) return [];
    throw error;
  });
  return table.flatMap(([fullName = '', made = '']) => {
    const name = snapshotNameIn(fullName);
    const inside = fullName.slice(dataset.length).split('@')[0]?.split('/').filter(Boolean) ?? [];
    const own = inside.length === depth - 1 && !inside.some(isTemporary);
    return name === undefined || !own ? [] : [{ name, fullName, made: Number(made) }];
  });
}
