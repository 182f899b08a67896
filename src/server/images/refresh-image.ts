import { ApiError } from '#api/error.ts';
import { findImage, moveImageUse, type ImageRecord, listImages } from '../database/images.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { deleteImage } from './delete-image.ts';
import { fetchImage, lookUp, plainSettings, type DownloadContext, type DownloadServices } from './download-image.ts';
import { imageSetting } from './image-config.ts';

type Uses = DownloadServices & Pick<Services, 'pools'>;

/**
 * Replaces an image by what its alias at its server stands for now; aliases and settings move on to the new one. True
 * when there was something newer.
 */
export async function refreshImage(services: Uses, image: ImageRecord, context: DownloadContext): Promise<boolean> {
  const { source, fingerprint, project } = image;
  if (!source)
    throw new ApiError(
      'failed-precondition',
      `Failed to update image "${fingerprint}" in project "${project}": Image source not found`,
    );
  const address = { ...source, secret: '', project: '' };
  const { server, found } = await lookUp(services, project, address, source.alias, context);
  if (found.fingerprint === fingerprint) return false;
  const { cached } = image;
  const settings = {
    ...plainSettings,
    public: image.public,
    autoUpdate: image.autoUpdate,
    profiles: image.profiles,
  };
  const { image: newer } = await fetchImage(services, project, { server, found, settings, cached, source }, context);
  const replaced = await services.database.write(async tx => {
    // it may have been deleted while the newer one came
    const current = await findImage(tx, project, fingerprint);
    if (current) await moveImageUse(tx, current, newer.id);
    return current;
  });
  if (replaced) await deleteImage(services, replaced, context);
  const { requestor } = context;
  emitLifecycle(services.events, 'image-refreshed', `/1.0/images/${newer.fingerprint}`, {
    project,
    ...(requestor && { requestor }),
  });
  return true;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Looks for newer versions of images that are to be kept up to date, and removes fetched ones that nobody used. */
export class ImageUpkeep {
  readonly #updatedAt = new Map<string, number>();

  /** To be called often; each project is looked at as often as its settings say. */
  async run(services: Uses & Pick<Services, 'operations'>, now = Date.now()): Promise<void> {
    const images = await services.database.read(reader => listImages(reader));
    for (const project of new Set(images.map(image => image.project))) {
      const own = images.filter(image => image.project === project);
      await this.#prune(services, own, now);
      const kept = own.filter(image => image.autoUpdate && image.source);
      if (kept.length > 0 && (await this.#isDue(services, project, now)))
        services.operations.run({ description: 'Updating images', project }, ({ signal }) =>
          updateAll(services, kept, signal),
        );
    }
  }

  async #isDue(services: Uses, project: string, now: number): Promise<boolean> {
    const hours = Number(await setting(services, project, 'images.auto_update_interval'));
    const last = this.#updatedAt.get(project);
    if (hours <= 0 || (last !== undefined && now - last < hours * hourMs)) return false;
    this.#updatedAt.set(project, now);
    return true;
  }

  async #prune(services: Uses, images: readonly ImageRecord[], now: number): Promise<void> {
    const cached = images.filter(image => image.cached);
    if (cached.length === 0) return;
    const days = Number(await setting(services, cached[0]?.project ?? '', 'images.remote_cache_expiry'));
    if (days <= 0) return;
    for (const image of cached) {
      const used = Math.max(Date.parse(image.uploadedAt), Date.parse(image.lastUsedAt));
      if (now - used > days * dayMs) await deleteImage(services, image);
    }
  }
}

/** One that fails does not keep the others from being looked at. */
async function updateAll(services: Uses, images: readonly ImageRecord[], signal: AbortSignal): Promise<void> {
  for (const image of images) {
    try {
      signal.throwIfAborted();
      await refreshImage(services, image, { signal, onProgress: () => undefined });
    } catch (error) {
      signal.throwIfAborted();
      services.log.warning('Failed looking for a newer version of an image', { image: image.fingerprint, error });
    }
  }
}

function setting(services: Uses, project: string, key: Parameters<typeof imageSetting>[3]): Promise<string> {
  return services.database.read(reader => imageSetting(services, reader, project, key));
}
