import type { ImagePut } from '#api/image.ts';
import type { Requestor } from '#api/event.ts';
import { imageProjectOf, saveImage, type ImageChange } from '../database/images.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { assertEtag } from '../etag.ts';
import type { Services } from '../services.ts';
import { checkedExpiry, checkProperties, writablePart } from './image-settings.ts';
import { imageByFingerprint } from './resolve-image.ts';

/** Replaces the writable part of an image, or with `merge` only what is given, property by property. */
export async function updateImage(
  services: Pick<Services, 'database' | 'events'>,
  project: string,
  fingerprint: string,
  change: ImagePut,
  options: { readonly merge: boolean; readonly ifMatch?: string; readonly requestor?: Requestor },
): Promise<void> {
  const image = await services.database.write(async tx => {
    const found = await imageByFingerprint(tx, await imageProjectOf(tx, project), fingerprint);
    assertEtag(options.ifMatch, writablePart(found));
    const before: ImageChange = options.merge
      ? found
      : { public: false, autoUpdate: false, expiresAt: found.expiresAt, properties: {}, profiles: found.profiles };
    const properties = { ...before.properties, ...change.properties };
    checkProperties(properties);
    await saveImage(tx, found, {
      public: change.public ?? before.public,
      autoUpdate: change.auto_update ?? before.autoUpdate,
      expiresAt: change.expires_at === undefined ? before.expiresAt : checkedExpiry(change.expires_at),
      properties,
      profiles: change.profiles ?? before.profiles,
    });
    return found;
  });
  const { requestor } = options;
  emitLifecycle(services.events, 'image-updated', `/1.0/images/${image.fingerprint}`, {
    project: image.project,
    ...(requestor && { requestor }),
  });
}
