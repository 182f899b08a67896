import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { alreadyExists, ApiError, invalid } from '#api/error.ts';
import type { DriverContext } from '../driver.ts';
import { defaultLoopSize } from '../loop-file.ts';
import { datasetExists, zfsTable } from './zfs-command.ts';

/** Where a pool lies: in a zpool that was made for it from a file or device, or in what was there before. */
export type Source =
  | { readonly kind: 'loop'; readonly file: string }
  | { readonly kind: 'device'; readonly device: string }
  | { readonly kind: 'dataset' };

/** Reads what completeConfig wrote. */
export function sourceOf(context: Pick<DriverContext, 'config' | 'loopFile'>): Source {
  if (context.config['source'] === context.loopFile) return { kind: 'loop', file: context.loopFile };
  const initial = context.config['volatile.initial_source'] ?? '';
  return path.isAbsolute(initial) ? { kind: 'device', device: initial } : { kind: 'dataset' };
}

/** Checks the source before anything of the pool exists, so that undoing its creation cannot hit what was there. */
export async function completeConfig(
  config: ConfigMap,
  { poolName, loopFile }: { readonly poolName: string; readonly loopFile: string },
): Promise<ConfigMap> {
  const source = config['source'] ?? '';
  const name = config['zfs.pool_name'] ?? poolName;
  if (source === '' || source === loopFile) {
    await assertNewZpool(name);
    if (await stat(loopFile).catch(() => undefined)) throw alreadyExists('Loop file', loopFile);
    const size = config['size'] ?? (await defaultLoopSize(loopFile));
    return { ...config, source: loopFile, size, 'zfs.pool_name': name };
  }
  if (config['size']) throw invalid('size', 'only a loop file has a size; leave out "source" to get one');
  if (!path.isAbsolute(source)) return await existingDataset(config, source);
  if (!(await stat(source).catch(() => undefined))?.isBlockDevice())
    throw invalid('source', `"${source}" is neither a block device nor the name of a zpool or dataset`);
  await assertNewZpool(name);
  // The name of a device may change at the next boot; the zpool's does not.
  return { ...config, source: name, 'zfs.pool_name': name, 'volatile.initial_source': source };
}

/** By its loop file, or by the zpool or dataset: which device that is on need not be known. */
export async function adoptConfig(
  config: ConfigMap,
  { poolName, loopFile }: { readonly poolName: string; readonly loopFile: string },
): Promise<ConfigMap> {
  const source = config['source'] || loopFile;
  const name = config['zfs.pool_name'] || poolName;
  if (source === loopFile) {
    const found = await stat(loopFile).catch(() => undefined);
    if (!found) throw invalid('source', `"${loopFile}" does not exist; name a zpool or dataset, or put the file there`);
    return { ...config, source, size: config['size'] || String(found.size), 'zfs.pool_name': name };
  }
  if (path.isAbsolute(source))
    return { ...config, source: name, 'zfs.pool_name': name, 'volatile.initial_source': source };
  return { ...config, 'zfs.pool_name': source, 'volatile.initial_source': source };
}

async function assertNewZpool(name: string): Promise<void> {
  if (!/^[A-Za-z][\w.:-]*$/.test(name) || /^(mirror|raidz|draid|spare|log|c\d)/.test(name))
    throw invalid('zfs.pool_name', `ZFS does not take "${name}" as the name of a zpool; choose another`);
  if (await datasetExists(name)) throw alreadyExists('Zpool', name);
}

async function existingDataset(config: ConfigMap, source: string): Promise<ConfigMap> {
  if (!/^[A-Za-z][\w.:-]*(\/[\w.:-]+)*$/.test(source))
    throw invalid('source', `"${source}" is no name of a zpool or dataset`);
  if ((config['zfs.pool_name'] ?? source) !== source)
    throw invalid('zfs.pool_name', 'must be the same as "source" when that names a zpool or dataset');
  const completed = { ...config, 'zfs.pool_name': source, 'volatile.initial_source': source };
  const zpool = source.split('/')[0] ?? '';
  if (!(await datasetExists(zpool))) throw invalid('source', `there is no zpool "${zpool}" on this host`);
  if (!(await datasetExists(source))) return completed;
  const inside = await zfsTable(['list', '-H', '-r', '-d', '1', '-t', 'filesystem,volume', '-o', 'name', source]);
  if (inside.length > 1) throw invalid('source', `zpool or dataset "${source}" is not empty`);
  return completed;
}

export function gone(context: Pick<DriverContext, 'poolName'>, what: string): ApiError {
  return new ApiError('unavailable', `${what}, which holds storage pool "${context.poolName}", is missing`);
}
