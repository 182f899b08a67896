import { kernel } from '#native/kernel.ts';
import type { Volume } from './driver.ts';
import { Pool } from './pool.ts';
import { Folder } from './trees/folder.ts';

/**
 * Makes ids on disk fit how a mounted volume is shown: where mounts can be shifted they are the container's own, else
 * those of `ids` on the host. `name` is the tree in the volume that has such ids, "." for all of it. True when mounts
 * must not shift them.
 */
export async function alignIds(
  pool: Pool,
  volume: Volume,
  name: string,
  ids: { readonly hostBase: number; readonly size: number } | undefined,
  options: { readonly mayShiftMounts?: boolean } = {},
): Promise<boolean> {
  using _lock = await Pool.holdAll([[pool, volume]], 'shift ids');
  using top = Folder.open(await pool.driver.mountVolume(volume));
  const wanted = pool.supportsIdmap && options.mayShiftMounts !== false ? undefined : ids;
  await kernel.alignIds(top.descriptor, name, wanted?.hostBase ?? 0, wanted?.size ?? 0);
  if (name !== '.') top.setOwner(wanted?.hostBase ?? 0); // the container's root has to pass it
  return wanted !== undefined;
}
