import { rename, rm } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { zeroTime } from '#api/common.ts';
import type { Requestor } from '#api/event.ts';
import type { ImageAlias } from '#api/image.ts';
import { Revert } from '#base/revert.ts';
import { insertAlias } from '../database/image-aliases.ts';
import {
  deleteImageRow,
  findImage,
  imageProjectOf,
  imageUses,
  insertImage,
  markImageReady,
  sameFingerprint,
  type ImageSource,
  type NewImage,
} from '../database/images.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { imageFiles } from './image-files.ts';
import { readArchiveMetadata } from './read-metadata.ts';
import type { ReceivedImage } from './receive-image.ts';

/** What the uploader says of the image; it goes before what the image says of itself. */
export interface ImageSettings {
  readonly filename: string;
  readonly public: boolean;
  readonly autoUpdate: boolean;
  readonly expiresAt: string | undefined;
  readonly properties: Readonly<Record<string, string>>;
  /** undefined = "default" when the project has it */
  readonly profiles: readonly string[] | undefined;
  readonly aliases: readonly ImageAlias[];
}

/** What is known of an image besides its files and the user's word. */
export interface ImageOrigin {
  /** instead of what the image says of itself */
  readonly properties: Readonly<Record<string, string>> | undefined;
  readonly expiresAt: string | undefined;
  readonly createdAt?: string;
  /** only kept for creating instances */
  readonly cached: boolean;
  readonly source: ImageSource | undefined;
}

type Uses = Pick<Services, 'database' | 'paths' | 'locks' | 'events' | 'log'>;

/**
 * Makes an image of received files, which are gone afterwards whatever happens. Throws "already-exists" when the
 * project has the image.
 */
export async function importImage(
  services: Uses,
  project: string,
  received: ReceivedImage,
  settings: ImageSettings,
  context: { readonly signal?: AbortSignal; readonly requestor?: Requestor; readonly origin?: ImageOrigin } = {},
): Promise<void> {
  const { fingerprint } = received;
  await using revert = new Revert(services.log);
  revert.add('receiving the image', () => removeFiles(received));

  using _lock = await services.locks.hold(imageLock(fingerprint), 'import', context.signal);
  const owner = await services.database.read(async reader => {
    const imageProject = await imageProjectOf(reader, project);
    if (await findImage(reader, imageProject, fingerprint)) throw sameFingerprint();
    return imageProject;
  });
  const metadata = await readArchiveMetadata(received.main, context.signal);
  const { origin } = context;

  const image: NewImage = {
    project: owner,
    fingerprint,
    filename: settings.filename || received.filename,
    size: received.size,
    public: settings.public,
    architecture: metadata.architecture,
    createdAt: origin?.createdAt ?? timeOf(metadata.creationDate),
    expiresAt: settings.expiresAt ?? origin?.expiresAt ?? timeOf(metadata.expiryDate),
    uploadedAt: new Date().toISOString(),
    lastUsedAt: zeroTime,
    cached: origin?.cached ?? false,
    autoUpdate: settings.autoUpdate,
    split: received.rootfs !== undefined,
    ready: false,
    properties: { ...(origin?.properties ?? metadata.properties), ...settings.properties },
    profiles: settings.profiles ?? ['default'],
    source: origin?.source,
  };
  const id = await services.database.write(tx => insertImage(tx, image));
  revert.add('adding the image', () => services.database.write(tx => deleteImageRow(tx, id)));

  await placeFiles(services, received, image);
  revert.add('placing the files of the image', () => removeUnusedFiles(services, image));

  await services.database.write(async tx => {
    for (const { name, description } of settings.aliases)
      await insertAlias(tx, owner, { name, description, imageId: id });
    await markImageReady(tx, id);
  });
  revert.commit();
  await removeFiles(received); // another project may have had the files already
  const { requestor } = context;
  emitLifecycle(services.events, 'image-created', `/1.0/images/${fingerprint}`, {
    project: owner,
    context: { type: 'container' },
    ...(requestor && { requestor }),
  });
}

/** Key of the lock that whoever adds or removes files of an image holds. */
export function imageLock(fingerprint: string): string {
  return `image/${fingerprint}`;
}

/** Removes the files of an image unless a row still needs them. Call it under the image's lock. */
export async function removeUnusedFiles(
  services: Pick<Services, 'database' | 'paths'>,
  image: { readonly fingerprint: string },
  uses = 1,
): Promise<void> {
  if ((await services.database.read(reader => imageUses(reader, image.fingerprint))) > uses) return;
  const { main, rootfs } = imageFiles(services.paths, { fingerprint: image.fingerprint, split: true });
  if (rootfs !== undefined) await rm(rootfs, { force: true });
  await rm(main, { force: true });
}

async function placeFiles(services: Pick<Services, 'paths'>, received: ReceivedImage, image: NewImage): Promise<void> {
  const { main, rootfs } = imageFiles(services.paths, image);
  if (received.rootfs !== undefined && rootfs !== undefined) await rename(received.rootfs, rootfs);
  await rename(received.main, main);
  await using folder = await open(services.paths.images, 'r');
  await folder.sync();
}

export async function removeFiles(received: Pick<ReceivedImage, 'main' | 'rootfs'>): Promise<void> {
  await rm(received.main, { force: true });
  if (received.rootfs !== undefined) await rm(received.rootfs, { force: true });
}

function timeOf(seconds: number): string {
  return seconds === 0 ? zeroTime : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
