import { randomInt } from 'node:crypto';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { Usage, Volume } from '../driver.ts';
import { poolUsage } from '../mounts.ts';
import { Folder, hasCode } from '../trees/folder.ts';
import { type TreeContext, openTop, openVolumes } from '../trees/trees.ts';

/** Project ids of volumes are taken from here up, far above those that people write into /etc/projects. */
const firstProject = 2 ** 30;

/** Gives an empty folder a project of its own, where the file system counts them. */
export async function startProject(folder: Folder): Promise<void> {
  if (!countsProjects(folder)) return;
  await kernel.setProject(folder.descriptor, freeProject(folder));
}

/** Gives the new folder the limit of the old one. */
export function inheritLimit(old: Folder, fresh: Folder): void {
  const id = projectOf(old);
  const limit = id === 0 ? undefined : kernel.projectUsage(old.descriptor, id)?.limit;
  if (limit !== undefined) kernel.limitProject(fresh.descriptor, projectOf(fresh), limit);
}

/** Removes a folder by `remove` and then the limit of its project. */
export async function endProject(parent: Folder, name: string, remove: () => Promise<void>): Promise<void> {
  const id = parent.folders().includes(name) ? projectIn(parent, name) : 0;
  await remove();
  if (id >= firstProject) kernel.limitProject(parent.descriptor, id, undefined);
}

/** Throws "unsupported" where the file system does not count projects. */
export async function setQuota(context: TreeContext, volume: Volume, bytes: number | undefined): Promise<void> {
  using top = openTop(context, volume);
  using parent = openVolumes(context, volume.kind);
  if (!countsProjects(parent)) {
    if (bytes === undefined) return;
    const reason = `the file system below storage pool "${context.poolName}" has no project quotas (mount option "prjquota")`;
    throw new ApiError('unsupported', `Cannot limit the size of storage volume "${volume.name}": ${reason}`);
  }
  if (projectOf(top) === 0) await kernel.setProject(top.descriptor, freeProject(top));
  kernel.limitProject(top.descriptor, projectOf(top), bytes);
}

/** Undefined for what has no project. */
export async function volumeUsage(context: TreeContext, volume: Volume): Promise<Usage | undefined> {
  using top = openTop(context, volume);
  const id = projectOf(top);
  const counted = id === 0 ? undefined : kernel.projectUsage(top.descriptor, id);
  return counted && { used: counted.used, total: counted.limit ?? (await poolUsage(context.mountPoint)).total };
}

/** Not where the pool lies in a project of the host's, whose files may not be moved into another. */
function countsProjects(folder: Folder): boolean {
  if (kernel.projectUsage(folder.descriptor, 0) === undefined) return false;
  return !kernel.projectOf(folder.descriptor).inherited;
}

/** Any id that nothing is counted for. */
function freeProject(folder: Folder): number {
  for (;;) {
    const id = randomInt(firstProject, 2 * firstProject);
    const counted = kernel.projectUsage(folder.descriptor, id);
    if (counted?.limit === undefined && (counted?.used ?? 0) === 0) return id;
  }
}

/** 0 for a folder without one. */
function projectOf(folder: Folder): number {
  try {
    return kernel.projectOf(folder.descriptor).id;
  } catch (error) {
    if (hasCode(error, 'ENOTTY', 'ENOTSUP', 'EOPNOTSUPP')) return 0;
    throw error;
  }
}

function projectIn(parent: Folder, name: string): number {
  using folder = parent.child(name);
  return projectOf(folder);
}
