import path from 'node:path';
import type { FileRestored, FileRestorePost } from '#api/file.ts';
import { ApiError, invalid } from '#api/error.ts';
import { getInstance } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import type { FileServer, RestoreProgress } from '../runtime/runtime.ts';
import { absolute, statOrNothing, tellFile, withFiles } from './files.ts';
import type { ActionContext, InstanceServices } from './instance-services.ts';
import { reachFiles } from './reach-instance.ts';
import { reachSnapshotFiles } from './reach-snapshot.ts';
import { assertAllowed, holdInstance } from './status.ts';

export interface FilesToRestore {
  readonly project: string;
  readonly instance: string;
  readonly snapshot: string;
  readonly request: FileRestorePost;
}

/**
 * Puts a file or folder of a snapshot back into the instance, running or not. What it replaces stays beside it unless
 * `force` is asked for: nobody can tell whether it was saved elsewhere.
 */
export async function restoreFiles(
  services: InstanceServices,
  { project, instance: name, snapshot, request }: FilesToRestore,
  context: ActionContext & { readonly onProgress?: (progress: RestoreProgress) => void } = {},
): Promise<FileRestored> {
  const { from, to } = placesOf(request);
  using _lock = await holdInstance(services.locks, project, name, 'restore', context.signal);
  const { ready } = await services.database.read(reader => getInstance(reader, project, name));
  assertAllowed(name, ready, services.runtime.status(containerId(project, name)), 'restore');
  const source = await reachSnapshotFiles(services, project, name, snapshot);
  return await withFiles(services, source, async before => {
    if (!source.sharesIds)
      throw new ApiError(
        'failed-precondition',
        `Cannot restore files of snapshot "${snapshot}": its files have other ids on disk than those of the instance now; copy the snapshot to an instance of its own and its files from there`,
      );
    const target = await reachFiles(services, project, name);
    return await withFiles(services, target, async now => {
      if (request.target) await checkTarget({ before, now }, from, to);
      if (request.create_dirs) await makeFolders({ before, now }, from, to);
      const done = await now.restore(before, from, to, { ...context, keep: request.force !== true });
      tellFile(services, 'instance-file-pushed', target, to, context.requestor);
      const kept = done.kept === undefined ? {} : { kept: path.posix.join(path.posix.dirname(to), done.kept) };
      return { target: to, ...kept, files: done.files, bytes: done.bytes, left_out: done.leftOut };
    });
  });
}

/** Where the file is in the snapshot, and where it shall be. A target that ends with a slash is the folder for it. */
function placesOf({ path: asked, target }: FileRestorePost): { readonly from: string; readonly to: string } {
  const from = plain(absolute(asked));
  if (from === '/') throw invalid('path', 'names all files: restore the snapshot instead');
  if (!target) return { from, to: from };
  const place = absolute(target);
  return { from, to: place.endsWith('/') ? `${place}${path.posix.basename(from)}` : place };
}

/** Without slashes at the end; ".." stays, because what it means depends on links. */
function plain(place: string): string {
  return place.replace(/(.)\/+$/, '$1');
}

interface Sides {
  readonly before: FileServer;
  readonly now: FileServer;
}

/** A target that was named on purpose is not replaced by something of another kind. */
async function checkTarget({ before, now }: Sides, from: string, to: string): Promise<void> {
  const [wanted, there] = [await before.stat(from), await statOrNothing(now, to)];
  const isFolder = there?.kind === 'directory';
  if (!there || isFolder === (wanted.kind === 'directory')) return;
  throw invalid(
    'target',
    isFolder ? `"${to}" is a folder: end it with a slash to put the file in it` : `"${to}" is no folder`,
  );
}

/** Makes the folders above the target that are missing; those of the same place are as they were in the snapshot. */
async function makeFolders({ before, now }: Sides, from: string, to: string): Promise<void> {
  const parts = path.posix.dirname(to).split('/').filter(Boolean);
  for (const [index] of parts.entries()) {
    const folder = `/${parts.slice(0, index + 1).join('/')}`;
    if (await statOrNothing(now, folder, true)) continue;
    const model = from === to ? await before.stat(folder, true) : undefined;
    await now.makeDirectory(folder, model ? { uid: model.uid, gid: model.gid, mode: model.mode } : {});
  }
}
