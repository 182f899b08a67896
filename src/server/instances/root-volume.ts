import { mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { alignIds } from '#storage/align-ids.ts';
import type { Pool } from '#storage/pool.ts';
import type { Volume } from '#storage/driver.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import { limitSize } from '../pools/limit-size.ts';
import type { Idmap } from '../runtime/idmap.ts';
import type { InstanceServices } from './instance-services.ts';

type Owner = Pick<InstanceRecord, 'project' | 'name' | 'pool'>;
type Uses = Pick<InstanceServices, 'pools' | 'paths'>;

/** The volume that holds an instance's root file system, in the folder "rootfs", and its metadata beside it. */
export function rootVolume({ project, name }: Pick<Owner, 'project' | 'name'>): Volume {
  return { kind: 'container', name: containerId(project, name) };
}

export function rootPool(services: Uses, { pool }: Pick<Owner, 'pool'>): Pool {
  return services.pools.get(pool);
}

/** Mounts the root volume and returns its top folder. */
export async function mountRoot(services: Uses, owner: Owner): Promise<string> {
  return await rootPool(services, owner).mountVolume(rootVolume(owner));
}

export async function unmountRoot(services: Uses, owner: Owner): Promise<void> {
  await rootPool(services, owner).unmountVolume(rootVolume(owner));
}

/**
 * Makes ids of the mounted root file system fit the map that it will be used with. True when they are the host's on
 * disk, because its pool cannot mount them shifted, or because they may not be.
 */
export async function alignRootIds(
  services: Uses,
  owner: Owner,
  idmap: Idmap | undefined,
  options: { readonly mayShiftMounts?: boolean } = {},
): Promise<boolean> {
  const pool = rootPool(services, owner);
  if (!pool.supportsIdmap && idmap?.holes)
    throw new ApiError(
      'unsupported',
      `Cannot use config key "raw.idmap" in storage pool "${pool.name}": its file system has no id-mapped mounts`,
    );
  return await alignIds(pool, rootVolume(owner), 'rootfs', idmap, options);
}

/** Applies the size of the root disk; undefined lifts the limit. */
export async function limitRoot(
  services: Pick<InstanceServices, 'pools' | 'database'>,
  owner: Owner,
  size: string | undefined,
): Promise<void> {
  await limitSize(services, owner.pool, rootVolume(owner), size);
}

/** Links containers/ID to the volume's folder, where tools look for it; heals a link that is wrong. */
export async function linkRoot(services: Uses, owner: Owner): Promise<void> {
  const link = services.paths.container(containerId(owner.project, owner.name));
  const target = path.join(services.paths.pool(owner.pool), 'containers', containerId(owner.project, owner.name));
  if ((await readlink(link).catch(() => undefined)) === target) return;
  await mkdir(path.dirname(link), { recursive: true, mode: 0o711 });
  const fresh = `${link}.new`;
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, link);
}

/** Succeeds when there is no link. */
export async function unlinkRoot(services: Pick<Uses, 'paths'>, owner: Pick<Owner, 'project' | 'name'>): Promise<void> {
  await rm(services.paths.container(containerId(owner.project, owner.name)), { force: true });
}
