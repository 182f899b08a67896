import path from 'node:path';
import type { StatePaths } from '../paths.ts';

export interface ImageFiles {
  /** unified archive, or the metadata archive of a split image */
  readonly main: string;
  /** root file system of a split image */
  readonly rootfs: string | undefined;
}

/** Where the files of an image are. The fingerprint is checked here once more: it becomes part of a path. */
export function imageFiles(paths: StatePaths, image: { readonly fingerprint: string; readonly split: boolean }): ImageFiles {
  if (!/^[0-9a-f]{64}$/.test(image.fingerprint))
    throw new Error(`"${image.fingerprint}" is not the fingerprint of an image`);
  const main = path.join(paths.images, image.fingerprint);
  return { main, rootfs: image.split ? `${main}.rootfs` : undefined };
}

/** Prefix of files that are being received or built; swept when the daemon starts. */
export const temporaryPrefix = '.incoming-';
