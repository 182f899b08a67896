import { randomUUID } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { ApiError, alreadyExists, invalid } from '#api/error.ts';
import type { DriverContext } from '../driver.ts';
import { defaultLoopSize } from '../loop-file.ts';
import { checkPoolFolder } from '../trees/folders.ts';
import { btrfsMagic, fileSystemAt } from '../mounts.ts';

/** Where a pool's file system lies. */
export type Source =
  | { readonly kind: 'loop'; readonly file: string }
  | { readonly kind: 'device'; readonly fileSystemId: string; readonly initialDevice: string }
  | { readonly kind: 'folder'; readonly folder: string };

/** Reads what completeConfig wrote: the path of the loop file, the UUID of a device's file system, or a folder. */
export function sourceOf(context: Pick<DriverContext, 'config' | 'loopFile'>): Source {
  const source = context.config['source'] ?? context.loopFile;
  if (source === context.loopFile) return { kind: 'loop', file: source };
  if (path.isAbsolute(source)) return { kind: 'folder', folder: source };
  return {
    kind: 'device',
    fileSystemId: source,
    initialDevice: context.config['volatile.initial_source'] ?? '',
  };
}

/** Checks the source before anything of the pool exists, so that undoing its creation cannot hit what was there. */
export async function completeConfig(
  config: ConfigMap,
  { loopFile }: { readonly loopFile: string },
): Promise<ConfigMap> {
  const source = config['source'] ?? '';
  if (source === '' || source === loopFile) {
    if (await stat(loopFile).catch(() => undefined)) throw alreadyExists('Loop file', loopFile);
    return { ...config, source: loopFile, size: config['size'] ?? (await defaultLoopSize(loopFile)) };
  }
  if (!path.isAbsolute(source)) throw invalid('source', 'must be an absolute path');
  if (config['size']) throw invalid('size', 'only a loop file has a size; leave out "source" to get one');
  const found = await stat(source).catch(() => undefined);
  if (found?.isBlockDevice()) {
    // The name of a device may change at the next boot; the file system's id does not.
    return { ...config, source: randomUUID(), 'volatile.initial_source': source };
  }
  if (!found?.isDirectory()) throw invalid('source', `"${source}" is neither a block device nor a folder`);
  if (fileSystemAt(source) !== btrfsMagic) throw invalid('source', `"${source}" is not on a btrfs file system`);
  if ((await readdir(source)).length > 0) throw invalid('source', `folder "${source}" is not empty`);
  return { ...config, 'volatile.initial_source': source };
}

/** A device may be given by its name, and a loop file by nothing; what is there is not touched. */
export async function adoptConfig(config: ConfigMap, { loopFile }: { readonly loopFile: string }): Promise<ConfigMap> {
  const source = config['source'] || loopFile;
  const found = path.isAbsolute(source) ? await stat(source).catch(() => undefined) : undefined;
  if (source === loopFile) {
    if (!found) throw invalid('source', `"${loopFile}" does not exist; name a device or folder, or put the file there`);
    return { ...config, source, size: config['size'] || String(found.size) };
  }
  if (!found?.isBlockDevice()) {
    if (path.isAbsolute(source)) await checkPoolFolder(source);
    return { ...config, source };
  }
  const id = await fileSystemIdOf(source);
  if (id === undefined) throw invalid('source', `"${source}" holds no btrfs file system`);
  return { ...config, source: id, 'volatile.initial_source': source };
}

/** The block device that holds the file system now; throws "unavailable" when there is none. */
export async function findDevice(source: Extract<Source, { kind: 'device' }>): Promise<string> {
  for (const device of [`/dev/disk/by-uuid/${source.fileSystemId}`, source.initialDevice]) {
    if ((await fileSystemIdOf(device)) === source.fileSystemId) return device;
  }
  throw new ApiError('unavailable', `No block device holds the btrfs file system ${source.fileSystemId}`);
}

/** UUID in the superblock, which lies at 64 KiB: 32 bytes checksum, the id, and a magic at 64 (btrfs(5)). */
async function fileSystemIdOf(device: string): Promise<string | undefined> {
  const handle = await open(device, 'r').catch(() => undefined);
  if (!handle) return undefined;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(72), 0, 72, 65_536);
    if (bytesRead < 72 || buffer.toString('latin1', 64, 72) !== '_BHRfS_M') return undefined;
    return buffer.toString('hex', 32, 48).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  } finally {
    await handle.close();
  }
}
