import type { Volume } from './driver.ts';
import { Pool } from './pool.ts';
import { type CheckTree, hasTreeStreams, type TreeFormat, type TreeReceiver, type TreeSender } from './tree-streams.ts';

/** Format of the streams that the pool's volumes can be moved as; undefined where its file system has none. */
export function streamFormat(pool: Pool): TreeFormat | undefined {
  return hasTreeStreams(pool.driver) ? pool.driver.treeFormat : undefined;
}

/** A volume, or what it was at snapshot `head`, and snapshots of it as streams; undefined where the driver has none. */
export async function openSender(
  pool: Pool,
  volume: Volume,
  snapshots: readonly string[],
  head?: string,
): Promise<TreeSender | undefined> {
  if (!hasTreeStreams(pool.driver)) return undefined;
  using _lock = await Pool.holdAll([[pool, volume]], 'send');
  return await pool.driver.openSender(volume, snapshots, head);
}

/** Takes such streams; undefined where the driver cannot. */
export async function openReceiver(pool: Pool, check: CheckTree): Promise<TreeReceiver | undefined> {
  return hasTreeStreams(pool.driver) ? await pool.driver.openReceiver(check) : undefined;
}

/** Puts snapshots that were received in place, and leaves the volume itself as it is. */
export async function placeReceivedSnapshots(
  pool: Pool,
  receiver: TreeReceiver,
  volume: Volume,
  snapshots: readonly string[],
): Promise<void> {
  using _lock = await Pool.holdAll([[pool, volume]], 'receive');
  await receiver.placeSnapshots(volume, snapshots);
}

/** Puts a volume and snapshots of it that were received in place. */
export async function placeReceived(
  pool: Pool,
  receiver: TreeReceiver,
  volume: Volume,
  snapshots: readonly string[],
): Promise<void> {
  using _lock = await Pool.holdAll([[pool, volume]], 'receive');
  await pool.users.vacate(volume, 'receive');
  await receiver.place(volume, snapshots);
}
