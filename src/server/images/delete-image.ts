import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Requestor } from '#api/event.ts';
import { deleteImageRow, imageUses, listUnfinishedImages, type ImageRecord } from '../database/images.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { temporaryPrefix } from './image-files.ts';
import { imageLock, removeUnusedFiles } from './import-image.ts';

type Uses = Pick<Services, 'database' | 'paths' | 'locks' | 'events' | 'pools'>;

/** Deletes an image of a project; its files and volumes go with the last project that has it. */
export async function deleteImage(
  services: Uses,
  image: ImageRecord,
  context: { readonly signal?: AbortSignal; readonly requestor?: Requestor } = {},
): Promise<void> {
  const { fingerprint, project } = image;
  using _lock = await services.locks.hold(imageLock(fingerprint), 'delete', context.signal);
  // the files before the volumes: a creation under way may fill a volume until it cannot read them
  const left = await services.database.write(async tx => {
    await deleteImageRow(tx, image.id);
    return await imageUses(tx, fingerprint);
  });
  await removeUnusedFiles(services, image, 0);
  if (left === 0) for (const pool of services.pools.list()) await pool.deleteImage(fingerprint);
  const { requestor } = context;
  emitLifecycle(services.events, 'image-deleted', `/1.0/images/${fingerprint}`, {
    project,
    ...(requestor && { requestor }),
  });
}

/** Undoes what the daemon's end cut off: rows that never became ready, and files and volumes that no row needs. */
export async function recoverImages(services: Pick<Services, 'database' | 'paths' | 'pools'>): Promise<void> {
  const unfinished = await services.database.read(listUnfinishedImages);
  for (const image of unfinished) await services.database.write(tx => deleteImageRow(tx, image.id));
  for (const name of await readdir(services.paths.images).catch(() => [])) {
    const fingerprint = /^([0-9a-f]{64})(?:\.rootfs)?$/.exec(name)?.[1];
    if (name.startsWith(temporaryPrefix))
      await rm(path.join(services.paths.images, name), { recursive: true, force: true });
    else if (fingerprint !== undefined) await removeUnusedFiles(services, { fingerprint }, 0);
  }
  for (const pool of services.pools.list())
    for (const { kind, name } of await pool.driver.listVolumes())
      if (kind === 'image' && (await services.database.read(reader => imageUses(reader, name))) === 0)
        await pool.deleteImage(name);
}
