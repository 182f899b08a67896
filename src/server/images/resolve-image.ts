import { ApiError, notFound } from '#api/error.ts';
import { getAlias } from '../database/image-aliases.ts';
import { findImage, imageProjectOf, imagesByPrefix, listImages, type ImageRecord } from '../database/images.ts';
import type { Reader } from '../database/database.ts';

export type { ImageRecord };

/**
 * The image that an alias or the beginning of a fingerprint names, in the project whose images the given one uses.
 * Throws "not-found", or "invalid-argument" when the beginning fits several.
 */
export async function resolveImage(
  reader: Reader,
  project: string,
  wanted: {
    readonly alias?: string;
    readonly fingerprint?: string;
    readonly properties?: Readonly<Record<string, string>>;
  },
): Promise<ImageRecord> {
  const { alias, fingerprint, properties } = wanted;
  const imageProject = await imageProjectOf(reader, project);
  if (alias !== undefined) {
    const { target } = await getAlias(reader, imageProject, alias);
    const image = await findImage(reader, imageProject, target);
    if (!image) throw notFound('Image', target);
    return image;
  }
  if (fingerprint !== undefined) return await imageByFingerprint(reader, imageProject, fingerprint);
  if (properties === undefined || Object.keys(properties).length === 0)
    throw new ApiError('invalid-argument', 'Must specify one of alias, fingerprint or properties of an image');
  return await newestWithProperties(reader, imageProject, properties);
}

async function newestWithProperties(
  reader: Reader,
  project: string,
  properties: Readonly<Record<string, string>>,
): Promise<ImageRecord> {
  const wanted = Object.entries(properties);
  const [newest] = (await listImages(reader, project))
    .filter(image => wanted.every(([key, value]) => image.properties[key] === value))
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  if (!newest) throw new ApiError('not-found', 'No matching image could be found');
  return newest;
}

/** The image of a project whose fingerprint begins so; the project must be the images' own. */
export async function imageByFingerprint(reader: Reader, project: string, prefix: string): Promise<ImageRecord> {
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) throw notFound('Image', prefix);
  const [image, other] = await imagesByPrefix(reader, project, prefix);
  if (!image) throw notFound('Image', prefix);
  if (other)
    throw new ApiError('invalid-argument', `Fingerprint "${prefix}" fits more than one image: give more of its digits`);
  return image;
}
