import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { Revert } from '#base/revert.ts';
import type { Volume, VolumeView } from '../driver.ts';
import { missing, spendingSpace } from '../errors.ts';
import { temporaryName } from '../layout.ts';
import { ownLabels, volumeDataset, type ZfsContext } from './datasets.ts';
import { mountDataset, readOnlyFlag, unmountFolder } from './mounting.ts';
import { failedAs, zfs } from './zfs-command.ts';

/** Takes a snapshot of a volume as it is now and returns its full name; `undo` takes it away. */
export async function freeze(context: ZfsContext, volume: Volume, undo: Revert): Promise<string> {
  const fullName = `${volumeDataset(context, volume)}@${ownLabels.copy}${randomUUID()}`;
  try {
    await spendingSpace(`reading storage volume "${volume.name}"`, () => zfs(['snapshot', '-r', fullName]));
  } catch (error) {
    throw failedAs(error, 'missing') ? missing(volume) : error;
  }
  undo.add('freezing a volume', async () => void (await zfs(['destroy', '-d', '-r', fullName])));
  return fullName;
}

/** Mounts a snapshot, in the way of nobody else who does, and returns the folder; `undo` unmounts it. */
export async function mountStill(context: ZfsContext, fullName: string, undo: Revert): Promise<string> {
  const folder = path.join(context.mountPoint, temporaryName());
  undo.add('mounting a snapshot', () => unmountFolder(folder));
  await mountDataset(fullName, folder, readOnlyFlag);
  return folder;
}

/** A snapshot that is mounted for as long as somebody looks at it. */
export async function viewVolume(context: ZfsContext, volume: Volume): Promise<VolumeView> {
  await using undo = new Revert(context.log);
  const folder = await mountStill(context, await freeze(context, volume, undo), undo);
  const kept = undo.transfer();
  return { folder, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}
