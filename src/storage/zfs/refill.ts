import path from 'node:path';
import type { RefillVolume, Volume } from '../driver.ts';
import { missing, spendingSpace } from '../errors.ts';
import { temporaryName, volumeFolders } from '../layout.ts';
import { locateSnapshot, locateSnapshots } from './branches.ts';
import { copyDataset } from './copying.ts';
import { datasetIn, snapshotLabel, volumeDataset, type ZfsContext } from './datasets.ts';
import { destroySnapshot, discardDataset } from './deleted.ts';
import { mountDataset, setTopMode, unmountAll, unmountFolder } from './mounting.ts';
import { copySettings } from './quota.ts';
import { takePlace } from './restore.ts';
import { zfs } from './zfs-command.ts';

/** The copy is a clone that takes the volume's place; snapshots that it keeps win over those of their names. */
export async function refillVolume(context: ZfsContext, volume: Volume, fill: RefillVolume): Promise<void> {
  const dataset = volumeDataset(context, volume);
  const snapshots = await locateSnapshots(context, volume);
  if (snapshots === undefined) throw missing(volume);
  const beside = temporaryName();
  const fresh = datasetIn(context, volumeFolders[volume.kind], beside);
  const kept = new Set<string>();
  try {
    await spendingSpace(`copying volume "${volume.name}"`, () => copyDataset(context, volume, fresh));
    await copySettings(dataset, fresh);
    await spendingSpace(`filling volume "${volume.name}"`, () => fillMounted(context, volume, fresh, kept, fill));
  } catch (error) {
    await discardDataset(context, fresh);
    throw error;
  }
  const names = snapshots.map(({ name }) => name);
  await unmountAll(context, volume, names);
  const replaced: string[] = [];
  for (const name of kept) {
    const fullName = await locateSnapshot(context, { volume, name });
    if (fullName !== undefined) replaced.push(fullName);
  }
  await takePlace(context, volume, fresh, replaced);
}

async function fillMounted(
  context: ZfsContext,
  volume: Volume,
  fresh: string,
  kept: Set<string>,
  fill: RefillVolume,
): Promise<void> {
  const folder = path.join(context.mountPoint, volumeFolders[volume.kind], path.basename(fresh));
  const keepSnapshot = async (name: string): Promise<void> => {
    const fullName = `${fresh}@${snapshotLabel({ volume, name })}`;
    if (kept.has(name)) await destroySnapshot(fullName);
    await zfs(['snapshot', '-r', fullName]);
    kept.add(name);
  };
  await mountDataset(fresh, folder);
  try {
    await fill(folder, keepSnapshot);
    setTopMode(folder, volume.kind);
  } finally {
    await unmountFolder(folder);
  }
}
