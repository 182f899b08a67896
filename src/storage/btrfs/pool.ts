import { closeSync } from 'node:fs';
import { mkdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { effective, effectiveBoolean } from '#base/config-schema.ts';
import { runCommand } from '#base/run-command.ts';
import { parseSize } from '#base/units.ts';
import { kernel } from '#native/kernel.ts';
import { hasCode } from '../trees/folder.ts';
import { poolFolders } from '../layout.ts';
import { ensureFolders, findLeftovers } from '../trees/folders.ts';
import { createLoopFile, deleteLoopFile, findLoopDevice, growLoopFile } from '../loop-file.ts';
import { bindMount, mountedAt, parseMountOptions, unmountFrom } from '../mounts.ts';
import { btrfsKeys } from './config-keys.ts';
import { type TreeContext, destroyLater, discard } from '../trees/trees.ts';
import { findDevice, type Source, sourceOf } from './source.ts';

const remountFlag = 32; // MS_REMOUNT
const slowMs = 300_000;

export async function createPool(context: TreeContext): Promise<void> {
  const source = sourceOf(context);
  if (source.kind === 'loop') await createLoop(context, source.file);
  if (source.kind === 'device') {
    const wipe = effectiveBoolean(btrfsKeys, context.config, 'source.wipe') ? ['-f'] : [];
    await format(context, source.initialDevice, [...wipe, '-U', source.fileSystemId]);
  }
}

async function createLoop(context: TreeContext, file: string): Promise<void> {
  const bytes = parseSize(context.config['size'] ?? '');
  if (bytes === undefined) throw invalid('size', 'a loop file needs one');
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await createLoopFile(file, bytes, half => format(context, half, []));
}

/** Refuses a device that holds something already, unless `-f` is among the options. */
async function format(context: TreeContext, target: string, options: readonly string[]): Promise<void> {
  const label = context.poolName;
  await runCommand('mkfs.btrfs', ['-q', '-L', label, ...options, '--', target], { timeoutMs: slowMs });
}

export async function deletePool(context: TreeContext): Promise<void> {
  const source = sourceOf(context);
  if (source.kind === 'folder') await emptyFolder(context, source.folder);
  await unmountPool(context);
  if (source.kind === 'loop') await deleteLoopFile(source.file);
  if (source.kind === 'device') await wipeDevice(source);
  await rmdir(context.mountPoint).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
}

async function emptyFolder(context: TreeContext, folder: string): Promise<void> {
  if (!(await stat(folder).catch(() => undefined))) return;
  const inside: TreeContext = { ...context, mountPoint: folder };
  for (const { name } of poolFolders) discard(inside, '.', name);
  await context.background.settle();
}

/** So that the device can be taken for a pool again; what is not ours by its id is left alone. */
async function wipeDevice(source: Extract<Source, { kind: 'device' }>): Promise<void> {
  const device = await findDevice(source).catch(() => undefined);
  if (device !== undefined) await runCommand('wipefs', ['-a', '-q', '--', device]);
}

export async function mountPool(context: TreeContext): Promise<void> {
  await mkdir(context.mountPoint, { recursive: true, mode: 0o711 });
  if ((await mountedAt(context.mountPoint)) === undefined) await mountSource(context, sourceOf(context));
  ensureFolders(context.mountPoint);
  for (const { parent, name } of findLeftovers(context.mountPoint)) destroyLater(context, parent, name);
}

async function mountSource(context: TreeContext, source: Source): Promise<void> {
  if (source.kind === 'device') return await mountBtrfs(context, await findDevice(source), context.config);
  const place = source.kind === 'loop' ? source.file : source.folder;
  if (!(await stat(place).catch(() => undefined))) {
    throw new ApiError('unavailable', `"${place}", which holds storage pool "${context.poolName}", is missing`);
  }
  if (source.kind === 'folder') return await bindMount(place, context.mountPoint);
  // A second device of the same file would be refused as a double of the file system.
  const attached = await findLoopDevice(place);
  if (attached !== undefined) return await mountBtrfs(context, attached, context.config);
  const loop = kernel.attachLoop(place);
  try {
    await mountBtrfs(context, loop.device, context.config);
  } finally {
    closeSync(loop.descriptor); // from here on the mount keeps the device
  }
}

async function mountBtrfs(context: TreeContext, device: string, config: ConfigMap, flag = 0): Promise<void> {
  const { flags, data } = parseMountOptions(mountOptions(context, config));
  await kernel.mount(device, context.mountPoint, 'btrfs', flags | flag, data);
}

function mountOptions(context: TreeContext, config: ConfigMap): string {
  const options = effective(btrfsKeys, config, 'btrfs.mount_options') ?? '';
  const loop = sourceOf(context).kind === 'loop';
  // A loop file gets back from discards what its guests delete; kernels before 6.2 do not discard unless told.
  return loop && !/\b(no)?discard\b/.test(options) ? `${options},discard=async` : options;
}

export async function unmountPool(context: TreeContext): Promise<void> {
  await context.background.settle();
  await unmountFrom(context.mountPoint);
}

export async function updatePool(context: TreeContext, before: ConfigMap, after: ConfigMap): Promise<void> {
  const source = sourceOf(context);
  if ((before['size'] ?? '') !== (after['size'] ?? '')) {
    if (source.kind !== 'loop') throw invalid('size', 'only a loop file has a size');
    await grow(context, source.file, parseSize(after['size'] ?? ''));
  }
  const remount =
    effective(btrfsKeys, before, 'btrfs.mount_options') !== effective(btrfsKeys, after, 'btrfs.mount_options');
  if (remount && source.kind !== 'folder') await mountBtrfs(context, 'none', after, remountFlag);
}

async function grow(context: TreeContext, file: string, bytes: number | undefined): Promise<void> {
  if (bytes === undefined) throw invalid('size', 'a loop file needs one');
  await growLoopFile(file, bytes);
  const device = await mountedAt(context.mountPoint);
  if (device === undefined) return;
  await runCommand('losetup', ['-c', device]);
  await runCommand('btrfs', ['filesystem', 'resize', 'max', context.mountPoint]);
}
