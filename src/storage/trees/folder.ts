import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY;

/** True for failures of the kernel with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * An open folder of a pool. What is in it is reached through its descriptor and beneath it only: a volume's folder
 * that was replaced by a link leads nowhere.
 */
export class Folder implements Disposable {
  readonly descriptor: number;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** Opens a folder of the daemon's own by its absolute path. */
  static open(absolute: string): Folder {
    return new Folder(openSync(absolute, folderFlags | constants.O_NOFOLLOW));
  }

  /** Opens a folder beneath this one; throws ENOENT, or ELOOP, ENOTDIR, EXDEV when something else is in the way. */
  child(relative: string): Folder {
    return new Folder(kernel.openBeneath(this.descriptor, relative, folderFlags));
  }

  /** Undefined when it does not exist. */
  find(relative: string): Folder | undefined {
    try {
      return this.child(relative);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      if (!hasCode(error, 'ELOOP', 'ENOTDIR', 'EXDEV')) throw error;
      throw new ApiError('failed-precondition', `Cannot use "${relative}" of the storage pool: it is not a folder`, {
        cause: error,
      });
    }
  }

  /** True when the name is taken, by whatever. */
  has(name: string): boolean {
    return lstatSync(path.join(this.#path, name), { throwIfNoEntry: false }) !== undefined;
  }

  names(): readonly string[] {
    return readdirSync(this.#path);
  }

  /** Names of what is a folder, links not followed. */
  folders(): readonly string[] {
    return readdirSync(this.#path, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name);
  }

  /** Makes a folder unless there is one, and gives it this mode. */
  ensure(name: string, mode: number): Folder {
    try {
      kernel.mkdirAt(this.descriptor, name, mode);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    const folder = this.child(name);
    folder.setMode(mode);
    return folder;
  }

  /** Succeeds when it is gone or not empty. */
  removeEmpty(name: string): void {
    try {
      kernel.unlinkAt(this.descriptor, name, true);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
    }
  }

  rename(from: string, to: string): void {
    kernel.renameAt(this.descriptor, from, this.descriptor, to);
  }

  exchange(one: string, other: string): void {
    kernel.exchangeAt(this.descriptor, one, this.descriptor, other);
  }

  setMode(mode: number): void {
    fchmodSync(this.descriptor, mode);
  }

  /** Gives the folder to root with this mode, whoever had it where it came from. */
  takeOver(mode: number): void {
    fchownSync(this.descriptor, 0, 0);
    fchmodSync(this.descriptor, mode);
  }

  setOwner(uid: number): void {
    fchownSync(this.descriptor, uid, 0);
  }

  /** Nanoseconds since the epoch at which the folder was made, where the file system keeps that (statx(2)). */
  get born(): bigint {
    return fstatSync(this.descriptor, { bigint: true }).birthtimeNs;
  }

  /** On btrfs: true for the top folder of a subvolume, which always has inode 256 (BTRFS_FIRST_FREE_OBJECTID). */
  get isSubvolume(): boolean {
    return fstatSync(this.descriptor, { bigint: true }).ino === 256n;
  }

  [Symbol.dispose](): void {
    closeSync(this.descriptor);
  }

  /** Absolute path of the folder, for programs that have to be told one. */
  get absolute(): string {
    return readlinkSync(this.#path);
  }

  get #path(): string {
    return path.join('/proc/self/fd', String(this.descriptor));
  }
}
