import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { alreadyExists, ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import { findAlias } from '#server/database/image-aliases.ts';
import { imageProjectOf } from '#server/database/images.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { getSnapshot } from '#server/database/snapshots.ts';
import { readBeneath } from '../images/beneath.ts';
import type { Compression } from '../images/compression.ts';
import { importImage, type ImageSettings } from '../images/import-image.ts';
import { type ImageMetadata, parseMetadata, renderMetadata } from '../images/metadata.ts';
import { packImage } from '../images/pack-image.ts';
import type { ReceivedImage } from '../images/receive-image.ts';
import { containerId } from '../paths.ts';
import type { InstanceServices } from './instance-services.ts';
import { alignRootIds, rootPool, rootVolume } from './root-volume.ts';
import { assertAllowed, holdInstance } from './status.ts';

export interface PublishSource {
  readonly instance: string;
  /** undefined = the instance as it is */
  readonly snapshot: string | undefined;
}

export interface PublishOptions {
  readonly settings: ImageSettings;
  /** instead of those of the image that the instance was made from */
  readonly properties: Readonly<Record<string, string>> | undefined;
  readonly compression: Compression;
}

interface PublishContext {
  readonly signal: AbortSignal;
  readonly requestor?: Requestor;
  readonly onProgress: (text: string) => void;
}

const maxMetadata = 2 ** 20;

/** Makes an image of a stopped instance, or of a snapshot. */
export async function publishInstance(
  services: InstanceServices,
  project: string,
  source: PublishSource,
  options: PublishOptions,
  context: PublishContext,
): Promise<{ readonly fingerprint: string; readonly size: number }> {
  const { settings } = options;
  const received = await packHeld(services, project, source, options, context);
  const origin = {
    properties: undefined,
    expiresAt: undefined,
    createdAt: new Date().toISOString(),
    cached: false,
    source: undefined,
  };
  await importImage(services, project, received, settings, { ...context, origin });
  return received;
}

/** The instance is held only while it is read. */
async function packHeld(
  services: InstanceServices,
  project: string,
  { instance, snapshot }: PublishSource,
  { settings, properties, compression }: PublishOptions,
  { signal, onProgress }: PublishContext,
): Promise<ReceivedImage> {
  using _lock = await holdInstance(services.locks, project, instance, 'publish', signal);
  const record = await services.database.read(async reader => {
    const imageProject = await imageProjectOf(reader, project);
    for (const { name } of settings.aliases)
      if (await findAlias(reader, imageProject, name)) throw alreadyExists('Image alias', name);
    const found = await getInstance(reader, project, instance);
    if (snapshot !== undefined && !(await getSnapshot(reader, found.id, snapshot)).ready)
      throw new ApiError('failed-precondition', `Snapshot "${snapshot}" is not complete`);
    return found;
  });
  const kernel = services.runtime.status(containerId(project, instance));
  if (snapshot === undefined && record.ready && kernel !== 'stopped')
    throw new ApiError('failed-precondition', 'Cannot export a running instance as an image: stop it first');
  if (snapshot === undefined) assertAllowed(instance, record.ready, kernel, 'publish');
  const volume = rootVolume(record);
  const content = snapshot === undefined ? volume : { volume, name: snapshot };
  return await rootPool(services, record).withMounted(content, async folder => {
    if (snapshot === undefined) await alignRootIds(services, record, undefined); // an image has the guest's own ids
    const metadata = await metadataOf(folder, record);
    const expiry = settings.expiresAt === undefined ? undefined : Math.floor(Date.parse(settings.expiresAt) / 1000);
    const changed: ImageMetadata = {
      ...metadata,
      properties: properties ?? metadata.properties,
      expiryDate: expiry ?? metadata.expiryDate,
    };
    return await packImage(services, folder, renderMetadata(changed), { compression, signal, onProgress });
  });
}

/** What the instance's image said, or what is known of an instance without one. */
async function metadataOf(folder: string, record: InstanceRecord): Promise<ImageMetadata> {
  await using handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const text = readBeneath(handle.fd, 'metadata.yaml', maxMetadata);
  if (text !== undefined) return parseMetadata(text.toString('utf8'));
  return {
    architecture: record.architecture,
    creationDate: Math.floor(Date.now() / 1000),
    expiryDate: 0,
    properties: {},
    templates: new Map(),
  };
}
