import { link, rm } from 'node:fs/promises';
import { machine } from 'node:os';
import { alreadyExists, ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import { parseBoolean } from '#base/config-schema.ts';
import { findAlias, insertAlias } from '../database/image-aliases.ts';
import {
  findImage,
  findImageAnywhere,
  imageProjectOf,
  imagesFromSource,
  keepCachedImage,
  saveImage,
  type ImageRecord,
  type ImageSource,
} from '../database/images.ts';
import type { Services } from '../services.ts';
import { serverProxies } from '../settings/proxies.ts';
import { imageSetting } from './image-config.ts';
import { imageFiles } from './image-files.ts';
import { importImage, removeFiles, type ImageSettings } from './import-image.ts';
import { temporaryImagePath, type ReceivedImage } from './receive-image.ts';
import { imageServer, type ImageServer, type RemoteImage, type ServerAddress } from './remote/image-server.ts';

export type DownloadServices = Pick<
  Services,
  'database' | 'paths' | 'locks' | 'events' | 'log' | 'settings' | 'identity'
>;

export interface DownloadContext {
  readonly signal: AbortSignal;
  /** other servers may let this one in: not for clients that may not do everything here */
  readonly asServer?: boolean;
  readonly requestor?: Requestor;
  readonly onProgress: (text: string) => void;
}

/** Fetches an image that a user wants to keep; one that is here already gets what the request says of it. */
export async function downloadImage(
  services: DownloadServices,
  project: string,
  wanted: { readonly address: ServerAddress; readonly name: string; readonly settings: ImageSettings },
  context: DownloadContext,
): Promise<ImageRecord> {
  const { address, name, settings } = wanted;
  const owner = await services.database.read(async reader => {
    const imageProject = await imageProjectOf(reader, project);
    for (const alias of settings.aliases)
      if (await findAlias(reader, imageProject, alias.name)) throw alreadyExists('Image alias', alias.name);
    return imageProject;
  });
  const { server, found } = await lookUp(services, owner, address, name, context);
  const fetched = await fetchImage(
    services,
    owner,
    { server, found, settings, cached: false, source: sourceOf(address, name, found) },
    context,
  );
  return fetched.isNew ? fetched.image : await keepImage(services, fetched.image, settings);
}

/**
 * The image for a new instance: the copy that is kept here while it is kept up to date, else the server's. When the
 * server cannot be reached, the last copy is taken.
 */
export async function cacheImage(
  services: DownloadServices,
  project: string,
  wanted: { readonly address: ServerAddress; readonly name: string },
  context: DownloadContext,
): Promise<ImageRecord> {
  const { address, name } = wanted;
  const { server: url, protocol } = address;
  const { owner, copies, interval, autoUpdate } = await services.database.read(async reader => {
    const owner = await imageProjectOf(reader, project);
    return {
      owner,
      copies: await imagesFromSource(reader, owner, { server: url, protocol, alias: name }),
      interval: await imageSetting(services, reader, owner, 'images.auto_update_interval'),
      autoUpdate: await imageSetting(services, reader, owner, 'images.auto_update_cached'),
    };
  });
  const [newest] = copies;
  if (newest?.autoUpdate && Number(interval) > 0) return newest;
  const settings = { ...plainSettings, autoUpdate: parseBoolean(autoUpdate) ?? false };
  try {
    const { server, found } = await lookUp(services, owner, address, name, context);
    const source = sourceOf(address, name, found);
    return (await fetchImage(services, owner, { server, found, settings, cached: true, source }, context)).image;
  } catch (error) {
    if (!newest || !ApiError.is(error, 'unavailable')) throw error;
    services.log.warning('Took the last copy of an image: its server cannot be reached', { server: url, error });
    return newest;
  }
}

/** An image at its server, not fetched. */
export async function lookUp(
  services: DownloadServices,
  owner: string,
  address: ServerAddress,
  name: string,
  { signal, asServer = false }: Pick<DownloadContext, 'signal' | 'asServer'>,
): Promise<{ readonly server: ImageServer; readonly found: RemoteImage }> {
  const architecture = await services.database.read(reader =>
    imageSetting(services, reader, owner, 'images.default_architecture'),
  );
  const identity = asServer ? services.identity : undefined;
  const proxies = serverProxies(services.settings);
  const server = imageServer(address, { identity, architecture: architecture || machine(), proxies });
  return { server, found: await server.find(name, signal) };
}

interface Fetch {
  readonly server: ImageServer;
  readonly found: RemoteImage;
  readonly settings: ImageSettings;
  readonly cached: boolean;
  readonly source: ImageSource | undefined;
}

/** One download per fingerprint however many ask; files that another project has are shared. */
export async function fetchImage(
  services: DownloadServices,
  owner: string,
  { server, found, settings, cached, source }: Fetch,
  context: DownloadContext,
): Promise<{ readonly image: ImageRecord; readonly isNew: boolean }> {
  const { fingerprint } = found;
  using _lock = await services.locks.hold(`image-download/${fingerprint}`, 'download', context.signal);
  const present = await services.database.read(reader => findImage(reader, owner, fingerprint));
  if (present) return { image: present, isNew: false };
  const { paths } = services;
  const received =
    (await sharedFiles(services, fingerprint)) ??
    (await server.download(found, paths, { signal: context.signal, onProgress: context.onProgress }));
  if (received.fingerprint !== fingerprint) {
    await removeFiles(received);
    throw new ApiError(
      'invalid-argument',
      `Refused the image: its files have the fingerprint "${received.fingerprint}", not "${fingerprint}" as the server says`,
    );
  }
  const origin = { properties: found.properties, expiresAt: found.expiresAt, cached, source };
  const named = { ...settings, filename: settings.filename || found.filename };
  await importImage(services, owner, received, named, { ...context, origin });
  const image = await services.database.read(reader => findImage(reader, owner, fingerprint));
  if (!image) throw new ApiError('not-found', `Image "${fingerprint}" was deleted while it was fetched`);
  return { image, isNew: true };
}

/** Settings of an image about which nobody said anything. */
export const plainSettings: ImageSettings = {
  filename: '',
  public: false,
  autoUpdate: false,
  expiresAt: undefined,
  properties: {},
  profiles: undefined,
  aliases: [],
};

/** Only an alias can stand for a newer image one day. */
function sourceOf(
  { server, protocol, certificate }: ServerAddress,
  name: string,
  { fingerprint }: RemoteImage,
): ImageSource | undefined {
  return fingerprint.startsWith(name) ? undefined : { server, protocol, certificate, alias: name };
}

async function keepImage(
  services: Pick<Services, 'database'>,
  image: ImageRecord,
  settings: ImageSettings,
): Promise<ImageRecord> {
  return await services.database.write(async tx => {
    await keepCachedImage(tx, image.id);
    await saveImage(tx, image, {
      public: settings.public,
      autoUpdate: settings.autoUpdate,
      expiresAt: settings.expiresAt ?? image.expiresAt,
      properties: { ...image.properties, ...settings.properties },
      profiles: settings.profiles ?? image.profiles,
    });
    for (const { name, description } of settings.aliases)
      await insertAlias(tx, image.project, { name, description, imageId: image.id });
    return image;
  });
}

/** Second names of the files that another project has under the fingerprint; undefined when none has. */
async function sharedFiles(
  services: Pick<Services, 'database' | 'paths'>,
  fingerprint: string,
): Promise<ReceivedImage | undefined> {
  const other = await services.database.read(reader => findImageAnywhere(reader, fingerprint));
  if (!other) return undefined;
  const files = imageFiles(services.paths, other);
  const main = await temporaryImagePath(services.paths);
  const rootfs = files.rootfs === undefined ? undefined : `${main}.rootfs`;
  try {
    await link(files.main, main);
    if (files.rootfs !== undefined && rootfs !== undefined) await link(files.rootfs, rootfs);
    return { main, rootfs, fingerprint, size: other.size, filename: other.filename };
  } catch {
    await rm(main, { force: true }); // it is being deleted there
    return undefined;
  }
}
