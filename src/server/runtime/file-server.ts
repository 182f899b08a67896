import { closeSync, createReadStream, fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { ApiError, type ErrorCode } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import { decodeEntries, decodeEntry } from './file-entry.ts';
import { DescriptorHandle } from './file-handle.ts';
import { type ParentFolder, restoreThrough } from './file-restore.ts';
import { HelperFailure, type Answer, type HelperConnection } from './helper-connection.ts';
import { Fields, fileOperations, keep, openFlags } from './namespace-protocol.ts';
import type {
  FileAccess,
  FileChange,
  FileEntry,
  FileHandle,
  FileOwner,
  FileServer,
  NamedEntry,
  RestoredFiles,
  RestoreOptions,
} from './runtime.ts';

/** A request that takes longer has met a file system of the guest's that hangs. */
const deadlineMs = 30_000;

/** Files of one instance through its `ctr-ns files` process. */
export class HelperFileServer implements FileServer {
  readonly #connection: HelperConnection;
  readonly #release: () => void;
  #released = false;

  /** `release` is called once, when the user closes. */
  constructor(connection: HelperConnection, release: () => void) {
    this.#connection = connection;
    this.#release = release;
  }

  async stat(path: string, followLinks = false): Promise<FileEntry> {
    const fields = new Fields().u32(followLinks ? 1 : 0).strings(path);
    return decodeEntry((await this.#request(fileOperations.stat, fields, path)).payload);
  }

  async read(path: string): Promise<{ readonly entry: FileEntry; readonly stream: Readable }> {
    const answer = await this.#request(fileOperations.read, new Fields().strings(path), path);
    const entry = decodeEntry(answer.payload);
    const [descriptor] = answer.descriptors;
    if (descriptor === undefined) throw new ApiError('internal', `The file server sent no descriptor for "${path}"`);
    return { entry, stream: streamOf(descriptor) };
  }

  async readLink(path: string): Promise<string> {
    return (await this.#request(fileOperations.readLink, new Fields().strings(path), path)).payload.toString();
  }

  async list(path: string): Promise<readonly string[]> {
    const { payload } = await this.#request(fileOperations.list, new Fields().strings(path), path);
    return payload.toString().split('\0').slice(0, -1).sort();
  }

  async listEntries(path: string): Promise<readonly NamedEntry[]> {
    return decodeEntries((await this.#request(fileOperations.listEntries, new Fields().strings(path), path)).payload);
  }

  async write(path: string, content: Readable, owner: Partial<FileOwner>, append = false): Promise<void> {
    const [contentEnd, ourContent] = kernel.pipe(2 ** 18);
    const [verdictEnd, ourVerdict] = kernel.pipe();
    const fields = ownerFields(new Fields().u32(append ? 1 : 0), owner).strings(path);
    const sink = new Socket({ fd: ourContent, readable: false, writable: true });
    // No deadline: the client decides how fast the content comes.
    const answer = this.#connection.request(fileOperations.write, fields, [contentEnd, verdictEnd]);
    try {
      const failed = answer.then(
        () => undefined,
        () => undefined,
      );
      const complete = await Promise.race([pour(content, sink), failed.then(() => false)]);
      if (complete) sendVerdict(ourVerdict);
    } finally {
      sink.destroy();
      closeSync(ourVerdict);
    }
    await answer.catch((error: unknown) => {
      throw fileError(error, path);
    });
  }

  async makeDirectory(path: string, owner: Partial<FileOwner>): Promise<void> {
    await this.#request(fileOperations.makeDirectory, ownerFields(new Fields(), owner).strings(path), path);
  }

  async makeLink(path: string, target: string): Promise<void> {
    await this.#request(fileOperations.makeLink, new Fields().strings(path, target), path);
  }

  async remove(path: string, recursive = false): Promise<void> {
    await this.#request(fileOperations.remove, new Fields().u32(recursive ? 1 : 0).strings(path), path);
  }

  async open(path: string, access: FileAccess, owner: Partial<FileOwner>): Promise<FileHandle> {
    const flags = Object.entries(openFlags).reduce(
      (sum, [name, flag]) => sum + (access[name as keyof FileAccess] ? flag : 0),
      0,
    );
    const fields = ownerFields(new Fields().u32(flags), owner).strings(path);
    const [descriptor] = (await this.#request(fileOperations.open, fields, path)).descriptors;
    if (descriptor === undefined) throw new ApiError('internal', `The file server sent no descriptor for "${path}"`);
    return new DescriptorHandle(descriptor);
  }

  async setAttributes(path: string, { owner = {}, size, times }: FileChange, followLinks = true): Promise<void> {
    const fields = ownerFields(new Fields(), owner)
      .u32(followLinks ? 1 : 0, size === undefined ? 0 : 1, times ? 1 : 0)
      .u64(size ?? 0, times?.accessed ?? 0, times?.modified ?? 0)
      .strings(path);
    await this.#request(fileOperations.setAttributes, fields, path);
  }

  async rename(from: string, to: string, replace: boolean): Promise<void> {
    await this.#request(fileOperations.rename, new Fields().u32(replace ? 1 : 0).strings(from, to), from);
  }

  async restore(source: FileServer, from: string, to: string, options: RestoreOptions): Promise<RestoredFiles> {
    if (!(source instanceof HelperFileServer))
      throw new TypeError('Only a file server of this kind can be restored from');
    const parent = await source.#openParent(from);
    try {
      return await restoreThrough(this.#connection, parent, to, options);
    } catch (error) {
      throw fileError(error, to);
    }
  }

  async #openParent(path: string): Promise<ParentFolder> {
    const answer = await this.#request(fileOperations.openParent, new Fields().strings(path), path);
    const [descriptor] = answer.descriptors;
    if (descriptor === undefined) throw new ApiError('internal', `The file server sent no descriptor for "${path}"`);
    return { descriptor, name: answer.payload.toString() };
  }

  close(): Promise<void> {
    if (!this.#released) this.#release();
    this.#released = true;
    return Promise.resolve();
  }

  async #request(operation: number, fields: Fields, path: string): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new ApiError('unavailable', `Timed out on "${path}": its file system does not answer`));
        this.#connection.close().catch(() => undefined);
      }, deadlineMs);
    });
    try {
      return await Promise.race([this.#connection.request(operation, fields), deadline]);
    } catch (error) {
      throw fileError(error, path);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Writes all of `content`; false when the reader went away first. The source is not destroyed then but drained, because
 * it may be the connection that the answer goes through. Rejects when the source breaks off.
 */
async function pour(content: Readable, sink: Socket): Promise<boolean> {
  return await new Promise<boolean>((resolve, reject) => {
    content.on('error', reject);
    content.on('close', () => {
      if (!content.readableEnded) reject(new ApiError('canceled', 'The content ended before it was complete'));
    });
    sink.on('error', () => {
      content.unpipe(sink).resume();
      resolve(false);
    });
    sink.on('finish', () => resolve(true));
    if (content.readableEnded) sink.end();
    else content.pipe(sink);
    if (content.destroyed && !content.readableEnded) reject(new ApiError('canceled', 'The content is gone already'));
  });
}

/** The server may have refused already; its answer then says why. */
function sendVerdict(pipe: number): void {
  try {
    writeSync(pipe, 'c');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}

function streamOf(descriptor: number): Readable {
  if (fstatSync(descriptor).isFIFO()) return new Socket({ fd: descriptor, readable: true, writable: false });
  return createReadStream('', { fd: descriptor, highWaterMark: 2 ** 18 });
}

function ownerFields(fields: Fields, owner: Partial<FileOwner>): Fields {
  return fields.u32(owner.uid ?? keep, owner.gid ?? keep, owner.mode ?? keep);
}

const reasons: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['not-found', 'is not there'],
  ENOTDIR: ['not-found', 'leads through something that is no folder'],
  EACCES: ['permission-denied', "may not be touched by the instance's root"],
  EPERM: ['permission-denied', "may not be touched by the instance's root"],
  EROFS: ['permission-denied', 'is on a read-only file system'],
  ELOOP: ['permission-denied', 'leads through a link that is not followed, or through too many'],
  EXDEV: ['permission-denied', 'holds a mount point'],
  EOVERFLOW: ['unsupported', 'holds folders that lie too deep'],
  EBUSY: ['busy', 'is in use, such as a mount point'],
  ETXTBSY: ['busy', 'is a program that runs'],
  EINVAL: ['invalid-argument', 'is neither a regular file nor a folder, or its name or owner is not valid'],
  EISDIR: ['invalid-argument', 'is a folder'],
  ENAMETOOLONG: ['invalid-argument', 'is too long a name'],
  EEXIST: ['already-exists', 'exists already'],
  ENOTEMPTY: ['failed-precondition', 'is not empty'],
  ENOSPC: ['out-of-space', 'does not fit: no space is left'],
  EDQUOT: ['out-of-space', 'does not fit: the quota is used up'],
};

function fileError(error: unknown, path: string): unknown {
  if (!(error instanceof HelperFailure)) return error;
  const [code, reason] = reasons[error.code] ?? ['internal', `failed with ${error.code}`];
  return new ApiError(code, `Failed to ${error.stage}: "${path}" ${reason}`, { cause: error });
}
