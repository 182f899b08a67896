import { effective } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';
import type { Snapshot, Volume } from '../driver.ts';
import { missing, spendingSpace, taken } from '../errors.ts';
import { isTemporary, snapshotFolders, temporaryName, volumeFolders, volumeKinds, volumeOf } from '../layout.ts';
import { locateSnapshots } from './branches.ts';
import { zfsKeys } from './config-keys.ts';
import { copyDataset } from './copying.ts';
import { branchesDataset, datasetIn, ownProperties, rootDataset, volumeDataset, type ZfsContext } from './datasets.ts';
import { discardDataset } from './deleted.ts';
import { folderOf, mountDataset, setTopMode, unmountAll, unmountFolder } from './mounting.ts';
import { datasetExists, failedAs, nameError, zfs, zfsTable } from './zfs-command.ts';

export async function createVolume(context: ZfsContext, volume: Volume): Promise<void> {
  await addVolume(context, volume, async dataset => {
    await zfs(['create', ...ownProperties, ...creationProperties(context), dataset]);
    // The mode is part of the volume: it is set before the dataset bears its name.
    const folder = folderOf(context, volume);
    await mountDataset(dataset, folder);
    try {
      setTopMode(folder, volume.kind);
    } finally {
      await unmountFolder(folder);
    }
  });
}

export async function cloneVolume(context: ZfsContext, source: Volume | Snapshot, target: Volume): Promise<void> {
  if (!(await hasVolume(context, volumeOf(source)))) throw missing(source);
  await addVolume(context, target, dataset => copyDataset(context, source, dataset));
}

export function creationProperties(context: ZfsContext): readonly string[] {
  const block = parseSize(effective(zfsKeys, context.config, 'volume.zfs.blocksize') ?? '');
  return block === undefined ? [] : ['-o', `recordsize=${String(block)}`];
}

/** `make` makes a dataset of a temporary name, which gets the volume's when it is whole. */
async function addVolume(context: ZfsContext, volume: Volume, make: (dataset: string) => Promise<void>): Promise<void> {
  const dataset = volumeDataset(context, volume);
  if (await datasetExists(dataset)) throw taken(volume);
  const half = datasetIn(context, volumeFolders[volume.kind], temporaryName());
  try {
    await spendingSpace(`creating storage volume "${volume.name}"`, () => make(half));
    await zfs(['rename', half, dataset]);
  } catch (error) {
    await discardDataset(context, half);
    throw failedAs(error, 'taken') ? taken(volume) : nameError(error, volume.name);
  }
}

/** The snapshots first: a volume without them can be deleted again, snapshots without their volume cannot be found. */
export async function deleteVolume(context: ZfsContext, volume: Volume): Promise<void> {
  const dataset = volumeDataset(context, volume);
  const snapshots = (await locateSnapshots(context, volume)) ?? [];
  await unmountAll(
    context,
    volume,
    snapshots.map(({ name }) => name),
  );
  if (snapshotFolders[volume.kind] !== undefined) await discardDataset(context, branchesDataset(context, volume));
  await discardDataset(context, dataset);
}

/** The branches first, so that a rename that was interrupted is finished by asking again. */
export async function renameVolume(context: ZfsContext, volume: Volume, newName: string): Promise<void> {
  const target = { ...volume, name: newName };
  const [from, to] = [volumeDataset(context, volume), volumeDataset(context, target)];
  const snapshots = await locateSnapshots(context, volume);
  if (snapshots === undefined) throw missing(volume);
  if (await datasetExists(to)) throw taken(target);
  await unmountAll(
    context,
    volume,
    snapshots.map(({ name }) => name),
  );
  if (snapshotFolders[volume.kind] !== undefined) {
    await zfs(['rename', branchesDataset(context, volume), branchesDataset(context, target)]).catch(unlessMissing);
  }
  try {
    await zfs(['rename', from, to]);
  } catch (error) {
    throw nameError(error, newName);
  }
}

/** By kind and name. */
export async function listVolumes(context: ZfsContext): Promise<readonly Volume[]> {
  const root = rootDataset(context);
  const folders = volumeKinds.map(kind => `${root}/${volumeFolders[kind]}`);
  const table = await zfsTable(['list', '-H', '-d', '1', '-t', 'filesystem', '-o', 'name', ...folders]);
  const names = table.map(([name = '']) => name.slice(root.length + 1).split('/'));
  return volumeKinds.flatMap(kind =>
    names
      .filter(([folder, name]) => folder === volumeFolders[kind] && name !== undefined && !isTemporary(name))
      .map(([, name = '']) => name)
      .sort()
      .map(name => ({ kind, name })),
  );
}

export async function hasVolume(context: ZfsContext, volume: Volume): Promise<boolean> {
  return await datasetExists(volumeDataset(context, volume));
}

function unlessMissing(error: unknown): void {
  if (!failedAs(error, 'missing')) throw error;
}
