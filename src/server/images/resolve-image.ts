import { ApiError, notFound } from '#api/error.ts';
import { getAlias } from '../database/image-aliases.ts';
import { findImage, imageProjectOf, imagesByPrefix, type ImageRecord } from '../database/images.ts';
import type { Reader } from '../database/database.ts';

export type { ImageRecord };

/**
 * The image that an alias or the beginning of a fingerprint names, in the project whose images the given one uses.
 * Throws "not-found", or "invalid-argument" when the beginning fits several.
 */
export async function resolveImage(
  reader: Reader,
  project: string,
  { alias, fingerprint }: { readonly alias?: string; readonly fingerprint?: string },
): Promise<ImageRecord> {
  const imageProject = await imageProjectOf(reader, project);
  if (alias !== undefined) {
    const { target } = await getAlias(reader, imageProject, alias);
    const image = await findImage(reader, imageProject, target);
    if (!image) throw notFound('Image', target);
    return image;
  }
  if (fingerprint === undefined) throw new ApiError('invalid-argument', 'An alias or a fingerprint is required');
  return await imageByFingerprint(reader, imageProject, fingerprint);
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
