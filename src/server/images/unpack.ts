import { chmod, chown, lstat, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { ImageRecord } from '../database/images.ts';
import type { Services } from '../services.ts';
import { detectFormat } from './archive-format.ts';
import { imageFiles, type ImageFiles } from './image-files.ts';
import { unpackSquashfs } from './squashfs.ts';
import { malformed, type TarMember } from './tar-header.ts';
import type { TarLimits } from './tar-scan.ts';
import { unpackTar, type UnpackOptions } from './unpack-tar.ts';

const defaultLimits: TarLimits = { bytes: 64 * 2 ** 30, members: 4_000_000 };

/**
 * Unpacks an image into an empty folder as `metadata.yaml`, `templates/` and `rootfs/`, with the owners, modes, file
 * capabilities and ACLs of the archive. Throws "invalid-argument" for archives that try to write elsewhere or are no
 * images, "out-of-space" for ones that are larger than the limits or than what is free; nothing is left in the folder.
 */
export async function unpackImage(
  services: Pick<Services, 'paths'>,
  image: Pick<ImageRecord, 'fingerprint' | 'split'>,
  folder: string,
  options: UnpackOptions = {},
): Promise<void> {
  const files = imageFiles(services.paths, image);
  await checkPresent(files);
  const limits = await limitsOf(folder, options);
  const { mode, uid, gid } = await stat(folder);
  try {
    const unpackMain = (await detectFormat(files.main)) === 'squashfs' ? unpackSquashfs : unpackTar;
    await unpackMain(files.main, folder, { ...options, limits, judge: judgeOwnNames() });
    // who may enter the folder is not the archive's to say
    await chown(folder, uid, gid);
    await chmod(folder, mode & 0o7777);
    const rootfs = path.join(folder, 'rootfs');
    if (files.rootfs !== undefined) {
      await rm(rootfs, { recursive: true, force: true });
      await mkdir(rootfs, { mode: 0o755 });
      const unpackRootfs = (await detectFormat(files.rootfs)) === 'squashfs' ? unpackSquashfs : unpackTar;
      await unpackRootfs(files.rootfs, rootfs, { ...options, limits, judge: () => undefined });
    }
    await checkOwnNames(folder);
  } catch (error) {
    for (const name of await readdir(folder)) await rm(path.join(folder, name), { recursive: true, force: true });
    options.signal?.throwIfAborted();
    throw error;
  }
}

const ownNames = ['metadata.yaml', 'packages.txt', 'rootfs', 'templates'];

/** The daemon opens these names itself later: each may only be what it has to be. */
function judgeOwnNames(): (member: TarMember) => void {
  return ({ name, type }) => {
    const [first, ...rest] = name.split('/');
    const inside = rest.length > 0;
    const refuse = (): never => {
      throw malformed(`"${name.slice(0, 200)}" must not be in an image as a ${type.replace('-', ' ')}`);
    };
    if (first === '' && type !== 'folder') refuse();
    if ((first === 'metadata.yaml' || first === 'packages.txt') && (inside || type !== 'file')) refuse();
    if ((first === 'rootfs' || first === 'templates') && !inside && type !== 'folder') refuse();
    if (first === 'templates' && inside && type !== 'file' && type !== 'folder') refuse();
    if (first !== '' && !ownNames.includes(first ?? '')) refuse();
  };
}

async function checkOwnNames(folder: string): Promise<void> {
  const is = async (name: string): Promise<'file' | 'folder' | 'nothing' | 'other'> => {
    const found = await lstat(path.join(folder, name)).catch(() => undefined);
    if (!found) return 'nothing';
    if (found.isDirectory()) return 'folder';
    return found.isFile() ? 'file' : 'other';
  };
  const foreign = (await readdir(folder)).find(name => !ownNames.includes(name));
  if (foreign !== undefined) throw malformed(`${JSON.stringify(foreign.slice(0, 200))} must not be in an image`);
  if ((await is('metadata.yaml')) !== 'file') throw malformed('it has no metadata.yaml');
  if ((await is('rootfs')) !== 'folder') throw malformed('it has no rootfs');
  if (!['folder', 'nothing'].includes(await is('templates'))) throw malformed('"templates" is not a folder');
}

/** The image may have been deleted since its row was read. */
async function checkPresent({ main, rootfs }: ImageFiles): Promise<void> {
  for (const file of rootfs === undefined ? [main] : [main, rootfs])
    await lstat(file).catch((error: unknown) => {
      throw new ApiError('not-found', `Image "${path.basename(main)}" has no files here`, { cause: error });
    });
}

async function limitsOf(folder: string, { limits }: UnpackOptions): Promise<TarLimits> {
  const { bavail, bsize } = await statfs(folder);
  const allowed = { ...defaultLimits, ...limits };
  return { ...allowed, bytes: Math.min(allowed.bytes, bavail * bsize) };
}
