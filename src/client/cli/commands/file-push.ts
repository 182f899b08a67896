import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import posix from 'node:path';
import { ApiError } from '#api/error.ts';
import type { Session } from '../session.ts';
import { fileHeaders, type FileTarget, writableTarget } from './file-target.ts';

export interface PushOptions {
  readonly createDirs: boolean;
  readonly recursive?: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly mode: string | undefined;
}

/** Requests in flight while a folder is pushed. */
const width = 8;

export async function push(
  session: Session,
  sources: readonly string[],
  given: string,
  options: PushOptions,
): Promise<void> {
  const target = await writableTarget(session, given);
  const mode = parseMode(options.mode);
  if (options.recursive && (options.uid >= 0 || options.gid >= 0 || mode !== undefined)) {
    throw new ApiError(
      'invalid-argument',
      'Cannot set owner or mode when pushing a folder: they are kept from its files',
    );
  }
  const intoFolder = target.path.endsWith('/') || sources.length > 1;
  if (options.createDirs) {
    const folder = intoFolder || options.recursive ? target.path : posix.dirname(target.path);
    await makeFolders(target, folder, options);
  }
  for (const source of sources) {
    const isInput = source === '-' && sources.length === 1;
    const status = isInput ? undefined : await statOf(source);
    if (status?.isDirectory()) {
      if (!options.recursive)
        throw new ApiError('invalid-argument', `Cannot push the folder "${source}" without "--recursive"`);
      await pushTree(target, source, posix.join(target.path, posix.basename(posix.resolve(source))));
      continue;
    }
    const path =
      intoFolder || (await isFolder(target))
        ? posix.join(target.path, isInput ? 'stdin' : posix.basename(source))
        : target.path;
    await target.files.put(path, {
      headers: fileHeaders('file', {
        uid: options.uid >= 0 ? options.uid : 0,
        gid: options.gid >= 0 ? options.gid : 0,
        mode: mode ?? (status ? status.mode & 0o777 : 0o644),
      }),
      upload: isInput ? session.streams.stdin : createReadStream(source, { highWaterMark: 1 << 18 }),
    });
  }
}

export async function makeFolder(session: Session, given: string, options: PushOptions): Promise<void> {
  const target = await writableTarget(session, given);
  const path = target.path.replace(/(.)\/+$/, '$1');
  if (options.createDirs) await makeFolders(target, posix.dirname(path), options);
  await putFolder(target, path, { ...options, mode: parseMode(options.mode) ?? 0o755 });
}

/** Creates the folder and those above it that are missing. */
async function makeFolders(target: FileTarget, folder: string, options: PushOptions): Promise<void> {
  let path = '/';
  for (const part of folder.split('/').filter(part => part !== '')) {
    path = posix.join(path, part);
    if (!(await isFolder({ ...target, path }))) await putFolder(target, path, { ...options, mode: 0o755 });
  }
}

async function putFolder(
  target: FileTarget,
  path: string,
  owner: { readonly uid: number; readonly gid: number; readonly mode: number },
): Promise<void> {
  await target.files.put(path, { headers: fileHeaders('directory', owner) });
}

async function isFolder({ files, path }: FileTarget): Promise<boolean> {
  try {
    const answer = await files.get(path);
    const reader = answer.body[Symbol.asyncIterator]();
    await reader.return?.();
    return answer.headers['x-lxd-type'] === 'directory';
  } catch (error) {
    if (ApiError.is(error, 'not-found')) return false;
    throw error;
  }
}

/** Pushes a folder: folders first, as files need them; then files, several at a time. */
async function pushTree(target: FileTarget, source: string, goal: string): Promise<void> {
  const files: { readonly from: string; readonly to: string }[] = [];
  const visit = async (from: string, to: string): Promise<void> => {
    await target.files.put(to, {
      headers: fileHeaders('directory', ownerOf(await stat(from))),
    });
    for (const entry of await readdir(from, { withFileTypes: true })) {
      const next = { from: posix.join(from, entry.name), to: posix.join(to, entry.name) };
      if (entry.isDirectory()) await visit(next.from, next.to);
      else if (entry.isFile() || entry.isSymbolicLink()) files.push(next);
    }
  };
  await visit(source, goal);
  const queue = files.values();
  const worker = async (): Promise<void> => {
    for (const { from, to } of queue) await pushEntry(target, from, to);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function pushEntry(target: FileTarget, from: string, to: string): Promise<void> {
  const status = await lstat(from);
  const upload = status.isSymbolicLink()
    ? Buffer.from(await readlink(from))
    : createReadStream(from, { highWaterMark: 1 << 18 });
  const headers = fileHeaders(status.isSymbolicLink() ? 'symlink' : 'file', ownerOf(status));
  await target.files.put(to, { headers, upload });
}

/** As the stock client: owner, group and permission bits of the local file. */
function ownerOf(status: { uid: number; gid: number; mode: number }): { uid: number; gid: number; mode: number } {
  return { uid: status.uid, gid: status.gid, mode: status.mode & 0o777 };
}

async function statOf(source: string): Promise<Stats> {
  try {
    return await stat(source);
  } catch (error) {
    throw new ApiError('not-found', `Cannot read "${source}": ${(error as Error).message}`, { cause: error });
  }
}

function parseMode(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-7]{1,5}$/.test(text))
    throw new ApiError('invalid-argument', `Invalid mode "${text}": use octal digits such as 0644`);
  return Number.parseInt(text, 8);
}
