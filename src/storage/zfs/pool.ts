import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { CommandError } from '#base/run-command.ts';
import { parseSize } from '#base/units.ts';
import { isTemporary, snapshotFolders, temporaryName, volumeFolders } from '../layout.ts';
import { createLoopFile, deleteLoopFile, growLoopFile } from '../loop-file.ts';
import { idmappedMountsAt, mountsBelow } from '../mounts.ts';
import { ensureFolders } from '../trees/folders.ts';
import { zfsKeys } from './config-keys.ts';
import { deletedFolder, folderDatasets, ownLabels, rootDataset, zpoolOf, type ZfsContext } from './datasets.ts';
import { discardDataset, sweepLater } from './deleted.ts';
import { mountDataset, removeEmptyFolders, unmountBelow, unmountFolder } from './mounting.ts';
import { finishRestores } from './restore.ts';
import { gone, sourceOf } from './source.ts';
import { datasetExists, failedAs, getProperties, zfs, zfsTable, zpool } from './zfs-command.ts';

/** Marks a dataset that createPool made, so that deletePool takes it away. */
const madeProperty = 'lxd-like:made';
const rootProperties = ['setuid=on', 'exec=on', 'devices=on', 'acltype=posixacl', 'xattr=sa', 'compression=on'];

export async function createPool(context: ZfsContext): Promise<void> {
  const source = sourceOf(context);
  if (source.kind === 'dataset') return await takeDataset(context);
  if (source.kind === 'device') {
    const wipe = effectiveBoolean(zfsKeys, context.config, 'source.wipe') ? ['-f'] : [];
    return await createZpool(context, source.device, wipe);
  }
  const bytes = parseSize(context.config['size'] ?? '');
  if (bytes === undefined) throw invalid('size', 'a loop file needs one');
  await mkdir(path.dirname(source.file), { recursive: true, mode: 0o700 });
  await createLoopFile(source.file, bytes, async half => {
    await createZpool(context, half, []);
    await zpool(['export', zpoolOf(context)]); // it is found again under the name that the file gets
  });
}

async function createZpool(context: ZfsContext, device: string, options: readonly string[]): Promise<void> {
  const properties = rootProperties.flatMap(property => ['-O', property]);
  try {
    await zpool(['create', ...options, '-m', 'none', '-o', 'cachefile=none', ...properties, zpoolOf(context), device]);
  } catch (error) {
    if (!(error instanceof CommandError) || !/use '-f' to override/.test(error.stderr)) throw error;
    throw invalid('source', `"${device}" holds something already; set "source.wipe" to use it all the same`);
  }
}

async function takeDataset(context: ZfsContext): Promise<void> {
  const root = rootDataset(context);
  if (!(await datasetExists(root))) await zfs(['create', '-p', '-o', `${madeProperty}=yes`, root]);
  await zfs(['set', ...rootProperties, 'mountpoint=none', root]);
}

export async function deletePool(context: ZfsContext): Promise<void> {
  const source = sourceOf(context);
  await context.background.settle();
  await unmountBelow(context);
  if (source.kind === 'dataset') await emptyDataset(context);
  else await destroyZpool(context);
  if (source.kind === 'loop') await deleteLoopFile(source.file);
  await removeEmptyFolders(context.mountPoint);
}

async function destroyZpool(context: ZfsContext): Promise<void> {
  const imported = (await datasetExists(zpoolOf(context))) || (await importZpool(context).then(Boolean, () => false));
  if (imported) await zpool(['destroy', '-f', zpoolOf(context)]);
}

/** All in one place first: destroyed together, clones do not keep what they were made from. */
async function emptyDataset(context: ZfsContext): Promise<void> {
  const root = rootDataset(context);
  const made = (await getProperties(root, [madeProperty]))?.[madeProperty];
  if (made === undefined) return;
  const folders = [...Object.values(volumeFolders), ...Object.values(snapshotFolders)];
  for (const folder of folders) {
    await zfs(['rename', `${root}/${folder}`, `${root}/${deletedFolder}/${temporaryName()}`]).catch(unlessMissing);
  }
  await zfs(['destroy', '-r', `${root}/${deletedFolder}`]).catch(unlessMissing);
  if (made === 'yes') await zfs(['destroy', root]);
}

export async function mountPool(context: ZfsContext): Promise<void> {
  await mkdir(context.mountPoint, { recursive: true, mode: 0o711 });
  if (!(await datasetExists(zpoolOf(context)))) await importZpool(context);
  const root = rootDataset(context);
  if (!(await datasetExists(root))) throw gone(context, `Dataset "${root}"`);
  const datasets = await listDatasets(root);
  await ensureDatasets(root, datasets);
  ensureFolders(context.mountPoint);
  await finishRestores(context, datasets);
  await discardLeftovers(context, datasets);
  await discardPassing(root);
  sweepLater(context);
  context.idmappedMounts = await probeIdmappedMounts(context);
}

/** Without mounting anything. Throws "unavailable" that names what is missing. */
async function importZpool(context: ZfsContext): Promise<string> {
  const source = sourceOf(context);
  const name = zpoolOf(context);
  if (source.kind === 'loop' && !(await stat(source.file).catch(() => undefined)))
    throw gone(context, `"${source.file}"`);
  // Only we use a loop file, so it may be taken over from a system that has not let go of it; it gets back what is deleted.
  const where = source.kind === 'loop' ? ['-f', '-o', 'autotrim=on', '-d', source.file] : [];
  try {
    return await zpool(['import', '-N', '-o', 'cachefile=none', ...where, name]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (/no such pool/.test(error.stderr)) throw gone(context, `Zpool "${name}"`);
    throw new ApiError('unavailable', `Cannot import zpool "${name}" of storage pool "${context.poolName}"`, {
      cause: error,
    });
  }
}

/** All with their origins. */
async function listDatasets(root: string): Promise<ReadonlyMap<string, string>> {
  const table = await zfsTable(['list', '-H', '-r', '-t', 'filesystem', '-o', 'name,origin', root]);
  return new Map(table.map(([name = '', origin = '-']) => [name, origin]));
}

async function ensureDatasets(root: string, present: ReadonlyMap<string, string>): Promise<void> {
  for (const folder of folderDatasets) {
    const dataset = `${root}/${folder}`;
    if (!present.has(dataset)) await zfs(['create', '-o', 'mountpoint=legacy', '-o', 'canmount=off', dataset]);
  }
}

/** Half-made volumes lie two levels below the root, half-made branches three. */
async function discardLeftovers(context: ZfsContext, datasets: ReadonlyMap<string, string>): Promise<void> {
  for (const folder of await mountsBelow(context.mountPoint))
    if (isTemporary(path.basename(folder))) await unmountFolder(folder);
  const root = rootDataset(context);
  for (const name of datasets.keys()) {
    const [folder, ...rest] = name.slice(root.length + 1).split('/');
    const depth = folder?.endsWith('-snapshots') ? 2 : 1;
    if (folder !== deletedFolder && rest.length === depth && isTemporary(rest.at(-1) ?? ''))
      await discardDataset(context, name);
  }
}

/** Snapshots that were being copied or sent; what is marked for destruction waits for its clones. */
async function discardPassing(root: string): Promise<void> {
  const table = await zfsTable(['list', '-H', '-p', '-r', '-t', 'snapshot', '-o', 'name,defer_destroy', root]);
  for (const [name = '', deferred] of table)
    if (name.includes(`@${ownLabels.copy}`) && deferred !== 'on') await zfs(['destroy', '-d', name]);
}

/** ZFS has them since 2.2, so it is tried. */
async function probeIdmappedMounts(context: ZfsContext): Promise<boolean> {
  const folder = path.join(context.mountPoint, temporaryName());
  await mountDataset(`${rootDataset(context)}/${deletedFolder}`, folder);
  try {
    return idmappedMountsAt(folder);
  } finally {
    await unmountFolder(folder);
  }
}

export async function unmountPool(context: ZfsContext): Promise<void> {
  await context.background.settle();
  await unmountBelow(context);
  const ours = sourceOf(context).kind !== 'dataset';
  if (!ours || !effectiveBoolean(zfsKeys, context.config, 'zfs.export')) return;
  await zpool(['export', zpoolOf(context)]).catch(unlessMissing);
}

export async function updatePool(context: ZfsContext, before: ConfigMap, after: ConfigMap): Promise<void> {
  if ((before['zfs.pool_name'] ?? '') !== (after['zfs.pool_name'] ?? ''))
    throw invalid('zfs.pool_name', 'cannot be changed once the storage pool exists');
  if ((before['size'] ?? '') === (after['size'] ?? '')) return;
  const source = sourceOf(context);
  if (source.kind !== 'loop') throw invalid('size', 'only a loop file has a size');
  const bytes = parseSize(after['size'] ?? '');
  if (bytes === undefined) throw invalid('size', 'a loop file needs one');
  await growLoopFile(source.file, bytes);
  await zpool(['online', '-e', zpoolOf(context), source.file]);
}

function unlessMissing(error: unknown): void {
  if (!failedAs(error, 'missing')) throw error;
}
