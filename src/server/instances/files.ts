import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { ApiError, invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { FileInfo } from '#api/file.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { FileEntry, FileOwner, FileServer, FilesTarget, NamedEntry } from '../runtime/runtime.ts';
import type { Services } from '../services.ts';
import { instancePath, snapshotPath } from './instance-services.ts';

type Uses = Pick<Services, 'runtime' | 'events'>;

/** An instance whose root volume is mounted for as long as this is held. */
export interface FilesInstance extends FilesTarget, AsyncDisposable {
  readonly project: string;
  readonly name: string;
  /** of which snapshot these are the files; undefined = as they are now */
  readonly snapshot?: string;
}

/** What is at a path: a file's content comes as a stream, whose end lets go of the instance. */
export type FoundFile =
  | { readonly kind: 'file'; readonly entry: FileEntry; readonly content: Readable }
  | { readonly kind: 'directory'; readonly entry: FileEntry; readonly names: readonly string[] }
  | { readonly kind: 'symlink'; readonly entry: FileEntry; readonly target: string };

export interface FileUpload {
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly owner: Partial<FileOwner>;
  readonly append: boolean;
  /** the file's content or the link's target */
  readonly content: Readable;
}

/** Longest target of a link (PATH_MAX of Linux). */
const longestTarget = 4096;

/** What stat says without following a link in the last part of the path. */
export async function statFile(services: Uses, instance: FilesInstance, path: string): Promise<FileEntry> {
  return await withFiles(services, instance, async server => checkKind(path, await server.stat(absolute(path))));
}

/** What stat says of what is in a directory, or of anything else that is at the path. */
export async function listFiles(services: Uses, instance: FilesInstance, path: string): Promise<readonly FileInfo[]> {
  return await withFiles(services, instance, async server => {
    const place = absolute(path);
    const entry = await server.stat(place);
    if (entry.kind === 'directory') return (await server.listEntries(place)).map(infoOf);
    const target = entry.kind === 'symlink' ? { target: await server.readLink(place) } : {};
    return [infoOf({ name: basename(place), ...entry, ...target })];
  });
}

export async function getFile(
  services: Uses,
  instance: FilesInstance,
  path: string,
  requestor?: Requestor,
): Promise<FoundFile> {
  const found = await withFiles(services, instance, server => find(server, absolute(path)), stillRead);
  tellFile(services, 'instance-file-retrieved', instance, path, requestor);
  return found;
}

/** The stream whose end a result still needs the instance for. */
function stillRead(found: FoundFile): Readable | undefined {
  return found.kind === 'file' ? found.content : undefined;
}

/** Opens the files of an instance for some work and lets go of both afterwards, or when what it gave is read. */
export async function withFiles<T>(
  services: Pick<Uses, 'runtime'>,
  instance: FilesInstance,
  work: (server: FileServer) => Promise<T>,
  until: (result: T) => Readable | undefined = () => undefined,
): Promise<T> {
  let server: FileServer | undefined;
  const release = async (): Promise<void> => {
    await server?.close();
    await instance[Symbol.asyncDispose]();
  };
  let reading: Readable | undefined;
  try {
    server = await services.runtime.files(instance);
    const result = await work(server);
    reading = until(result);
    reading?.once('close', () => void release());
    return result;
  } finally {
    if (!reading) await release();
  }
}

async function find(server: FileServer, path: string): Promise<FoundFile> {
  const entry = checkKind(path, await server.stat(path));
  if (entry.kind === 'directory') return { kind: 'directory', entry, names: await server.list(path) };
  if (entry.kind === 'symlink') return { kind: 'symlink', entry, target: await server.readLink(path) };
  const { entry: opened, stream } = await server.read(path);
  return { kind: 'file', entry: opened, content: stream };
}

export async function putFile(
  services: Uses,
  instance: FilesInstance,
  path: string,
  upload: FileUpload,
  requestor?: Requestor,
): Promise<void> {
  const place = absolute(path);
  await withFiles(services, instance, async server => {
    if (upload.kind === 'directory') await server.makeDirectory(place, upload.owner);
    else if (upload.kind === 'symlink') await server.makeLink(place, await readTarget(upload.content));
    else await server.write(place, upload.content, upload.owner, upload.append);
  });
  tellFile(services, 'instance-file-pushed', instance, path, requestor);
}

/** Deletes a file, a link or an empty directory. */
export async function deleteFile(
  services: Uses,
  instance: FilesInstance,
  path: string,
  requestor?: Requestor,
): Promise<void> {
  await withFiles(services, instance, server => server.remove(absolute(path)));
  tellFile(services, 'instance-file-deleted', instance, path, requestor);
}

/** Clients may leave out the slash at the beginning. */
export function absolute(path: string): string {
  if (path === '') throw invalid('path', 'must not be empty');
  if (path.includes('\0')) throw invalid('path', 'must not hold NUL');
  return path.startsWith('/') ? path : `/${path}`;
}

function infoOf({ name, kind, special, mode, uid, gid, size, modified, target }: NamedEntry): FileInfo {
  return {
    name,
    type: special ?? kind,
    mode: modeText(mode),
    uid,
    gid,
    size,
    modified_at: timeText(modified),
    ...(target !== undefined && { target }),
  };
}

/** Permission bits as octal digits. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** A guest may have set any time: one that cannot be told is that of the epoch. */
export function timeText(seconds: number): string {
  const time = new Date(seconds * 1000);
  return `${(Number.isNaN(time.getTime()) ? new Date(0) : time).toISOString().slice(0, 19)}Z`;
}

/** Undefined when nothing is there. */
export async function statOrNothing(
  server: FileServer,
  path: string,
  followLinks = false,
): Promise<FileEntry | undefined> {
  try {
    return await server.stat(path, followLinks);
  } catch (error) {
    if (ApiError.is(error, 'not-found')) return undefined;
    throw error;
  }
}

function checkKind(path: string, entry: FileEntry): FileEntry {
  if (entry.kind === 'other') throw invalid('path', `"${path}" is a device, socket or pipe`);
  return entry;
}

async function readTarget(content: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of content) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length >= longestTarget)
      throw invalid('content', `a link's target has less than ${String(longestTarget)} bytes`);
  }
  const target = Buffer.concat(parts).toString();
  if (target === '' || target.includes('\0')) throw invalid('content', "a link's target must not be empty or hold NUL");
  return target;
}

/** Tells listeners what was done with a file. */
export function tellFile(
  services: Pick<Uses, 'events'>,
  action: string,
  instance: FilesInstance,
  file: string,
  requestor?: Requestor,
): void {
  const { name, snapshot } = instance;
  const source = snapshot === undefined ? instancePath(name) : snapshotPath(name, snapshot);
  emitLifecycle(services.events, action, source, {
    project: instance.project,
    context: { file },
    ...(requestor && { requestor }),
  });
}
