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
  const shared = (await services.database.read(reader => imageUses(reader, fingerprint))) > 1;
  if (!shared) for (const pool of services.pools.list()) await pool.deleteImage(fingerprint);
  await services.database.write(tx => deleteImageRow(tx, image.id));
  await removeUnusedFiles(services, image, 0);
  const { requestor } = context;
  emitLifecycle(services.events, 'image-deleted', `/1.0/images/${fingerprint}`, {
    project,
    ...(requestor && { requestor }),
  });
}

/** Undoes imports that the daemon's end cut off: rows that never became ready, and files that no row needs. */
export async function recoverImages(services: Pick<Services, 'database' | 'paths'>): Promise<void> {
  const unfinished = await services.database.read(listUnfinishedImages);
  for (const image of unfinished) await services.database.write(tx => deleteImageRow(tx, image.id));
  for (const name of await readdir(services.paths.images).catch(() => [])) {
    const fingerprint = /^([0-9a-f]{64})(?:\.rootfs)?$/.exec(name)?.[1];
    if (name.startsWith(temporaryPrefix))
      await rm(path.join(services.paths.images, name), { recursive: true, force: true });
    else if (fingerprint !== undefined) await removeUnusedFiles(services, { fingerprint }, 0);
  }
}
