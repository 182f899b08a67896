import { kernel } from '#native/kernel.ts';
import type { Usage, Volume } from '../driver.ts';
import type { Folder } from '../trees/folder.ts';
import { poolUsage } from '../mounts.ts';
import { type TreeContext, openTop } from '../trees/trees.ts';

/** Limits by qgroups (btrfs-quota(8)). Accounting costs every write, so it is off until a first limit is asked for. */
export async function setQuota(context: TreeContext, volume: Volume, bytes: number | undefined): Promise<void> {
  using top = openTop(context, volume);
  const id = kernel.btrfsSubvolumeId(top.descriptor);
  const counted = await kernel.btrfsUsage(top.descriptor, id);
  if (!counted && bytes === undefined) return;
  if (!counted) await kernel.btrfsEnableQuota(top.descriptor);
  await kernel.btrfsSetLimit(top.descriptor, id, bytes);
}

export async function volumeUsage(context: TreeContext, volume: Volume): Promise<Usage | undefined> {
  using top = openTop(context, volume);
  const counted = await kernel.btrfsUsage(top.descriptor, kernel.btrfsSubvolumeId(top.descriptor));
  if (!counted) return undefined;
  return { used: counted.referenced, total: counted.limit ?? (await poolUsage(context.mountPoint)).total };
}

/** Gives a subvolume that takes another's place the other's limit. */
export async function inheritLimit(from: Folder, to: Folder): Promise<void> {
  const counted = await kernel.btrfsUsage(from.descriptor, kernel.btrfsSubvolumeId(from.descriptor));
  if (counted?.limit === undefined) return;
  await kernel.btrfsSetLimit(to.descriptor, kernel.btrfsSubvolumeId(to.descriptor), counted.limit);
}
