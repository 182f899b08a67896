import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { DeviceContext } from './device.ts';

const bind = 4096; // MS_BIND
const recursive = 16_384; // MS_REC
const oPath = 0o10000000; // O_PATH, which node:fs does not name

/** Something of the host that was opened below a folder which a project is held to. */
export interface ConfinedSource extends Disposable {
  readonly entry: Stats;
  /** Binds it to a file or folder that is there. */
  bindTo(place: string, withMounts: boolean): Promise<void>;
}

/** The folder that the instance's project holds this source to; undefined when it holds disks to none. */
export async function confiningFolder(context: DeviceContext, source: string): Promise<string | undefined> {
  const folders = await context.diskFolders();
  return folders.find(folder => isBeneath(folder, source));
}

/**
 * Opens a source without leaving its folder, whatever links a guest that shares it has put there: a path that was checked
 * as text could lead anywhere by the time it is mounted. "not-found", or "permission-denied" for a way out.
 */
export function openConfined(folder: string, source: string): ConfinedSource {
  const directory = openSync(folder, oPath | constants.O_DIRECTORY);
  let file: number;
  try {
    file = kernel.openBeneath(directory, path.posix.relative(folder, source) || '.', oPath);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new ApiError('not-found', `"${source}" does not exist`, { cause: error });
    throw new ApiError('permission-denied', `"${source}" leads through a link, which the project forbids`, {
      cause: error,
    });
  } finally {
    closeSync(directory);
  }
  return {
    entry: fstatSync(file),
    bindTo: (place, withMounts) =>
      kernel.mount(`/proc/self/fd/${String(file)}`, place, 'none', withMounts ? bind | recursive : bind, ''),
    [Symbol.dispose]: () => closeSync(file),
  };
}

function isBeneath(folder: string, source: string): boolean {
  const way = path.posix.relative(path.posix.resolve('/', folder), path.posix.resolve('/', source));
  return way !== '..' && !way.startsWith('../');
}
