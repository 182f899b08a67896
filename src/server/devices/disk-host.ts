import { mkdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { parseBoolean } from '#base/config-schema.ts';
import { runCommand } from '#base/run-command.ts';
import { kernel } from '#native/kernel.ts';
import { type ContainerMount, propagations } from '../runtime/runtime.ts';
import { confiningFolder, openConfined } from './confined-source.ts';
import type { DeviceContext, DeviceProblem } from './device.ts';
import { encodeName } from './unix-node.ts';

const mountDeadlineMs = 30_000;
/** MNT_DETACH of umount2(2) */
const detach = 2;

/** Why a disk device that brings something of the host is refused. */
export function hostDiskProblem(options: DeviceMap): DeviceProblem | undefined {
  const source = options['source'] ?? '';
  if (options['size']) return { key: 'size', reason: 'is for the root disk only' };
  if (source === '') return { key: 'source', reason: 'is required' };
  if (/^ceph(fs)?:/.test(source)) return { key: 'source', reason: 'names Ceph, which is not supported here' };
  if (!source.startsWith('/') || source.split('/').includes('..'))
    return { key: 'source', reason: 'must be an absolute path without ".."' };
  if (options['required'] && options['optional']) return { key: 'optional', reason: 'cannot be set with "required"' };
  if (isSet(options, 'recursive') && isSet(options, 'readonly'))
    return { key: 'recursive', reason: 'cannot be set with "readonly": what lies below would stay writable' };
  return undefined;
}

/** Brings a file, folder or the file system on a block device of the host; undefined when it is missing and may be. */
export async function startHostDisk(context: DeviceContext): Promise<ContainerMount | undefined> {
  const { name, options } = context;
  const source = options['source'] ?? '';
  const folder = await confiningFolder(context, source);
  if (folder !== undefined) return await startConfined(context, folder, source);
  const entry = await stat(source).catch(() => undefined);
  if (!entry) {
    if (!isRequired(options)) return undefined;
    throw new ApiError('failed-precondition', `Device "${name}" cannot start: its source "${source}" does not exist`);
  }
  if (!entry.isDirectory() && !entry.isFile() && !entry.isBlockDevice())
    throw new ApiError('failed-precondition', `Device "${name}" cannot start: "${source}" is no file, folder or disk`);
  if (!entry.isBlockDevice()) return mountOf(options, source, entry.isFile(), extraOptions(options));
  return mountOf(options, await mountBlockDevice(context, extraOptions(options)), false, []);
}

function mountOf(options: DeviceMap, source: string, isFile: boolean, extra: readonly string[]): ContainerMount {
  const propagation = propagations.find(word => word === options['propagation']);
  return {
    source,
    target: targetOf(options),
    kind: isFile ? 'file' : 'directory',
    readOnly: isSet(options, 'readonly'),
    recursive: isSet(options, 'recursive'),
    idmapped: isSet(options, 'shift'),
    optional: !isRequired(options),
    ...(propagation !== undefined && { propagation }),
    ...(extra.length > 0 && { options: extra }),
  };
}

function extraOptions(options: DeviceMap): readonly string[] {
  return (options['raw.mount.options'] ?? '').split(',').filter(word => word !== '');
}

/** Binds the source to a place of the daemon's own first: nobody else can change what is there. */
async function startConfined(
  context: DeviceContext,
  folder: string,
  source: string,
): Promise<ContainerMount | undefined> {
  const { name, options } = context;
  try {
    using opened = openConfined(folder, source);
    if (!opened.entry.isDirectory() && !opened.entry.isFile())
      throw new ApiError('failed-precondition', `"${source}" is no file or folder`);
    const place = placeOf(context);
    await stopHostDisk(context);
    await mkdir(path.dirname(place), { recursive: true, mode: 0o711 });
    if (opened.entry.isFile()) await writeFile(place, '', { mode: 0o600 });
    else await mkdir(place, { mode: 0o711 });
    await opened.bindTo(place, isSet(options, 'recursive'));
    return mountOf(options, place, opened.entry.isFile(), extraOptions(options));
  } catch (error) {
    if (!ApiError.is(error)) throw error;
    if (error.code === 'not-found' && !isRequired(options)) return undefined;
    throw new ApiError('failed-precondition', `Device "${name}" cannot start: ${error.message}`, { cause: error });
  }
}

/** Unmounts what was mounted on the host for it; succeeds when there is nothing. */
export async function stopHostDisk(context: DeviceContext): Promise<void> {
  const place = placeOf(context);
  await kernel.unmount(place, detach).catch(() => undefined);
  await rmdir(place).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOTDIR' ? rm(place, { force: true }) : undefined,
  );
}

/** Where it is in the container. */
export function targetOf(options: DeviceMap): string {
  return path.posix.normalize(`/${options['path'] ?? ''}`);
}

export function isRequired(options: DeviceMap): boolean {
  if (options['required']) return isSet(options, 'required');
  return !isSet(options, 'optional');
}

/** Mounts the file system that is on a block device for this container alone. */
async function mountBlockDevice(context: DeviceContext, extra: readonly string[]): Promise<string> {
  const { name, options } = context;
  const place = placeOf(context);
  await stopHostDisk(context);
  await mkdir(place, { recursive: true, mode: 0o711 });
  const words = [isSet(options, 'readonly') ? 'ro' : 'rw', ...extra];
  try {
    // mount(8) finds out which file system it is.
    await runCommand('mount', ['-o', words.join(','), '--', options['source'] ?? '', place], {
      timeoutMs: mountDeadlineMs,
    });
  } catch (error) {
    await rmdir(place).catch(() => undefined);
    const message = `Device "${name}" cannot start: no file system on "${options['source'] ?? ''}" could be mounted`;
    throw new ApiError('failed-precondition', message, { cause: error });
  }
  return place;
}

function placeOf({ folder, name, options }: DeviceContext): string {
  return path.join(folder, `disk.${encodeName(name)}.${encodeName(targetOf(options).slice(1))}`);
}

function isSet(options: DeviceMap, key: string): boolean {
  return parseBoolean(options[key] || 'false') ?? false;
}
