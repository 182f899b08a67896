import path from 'node:path';
import type { RefillVolume, Volume } from '../driver.ts';
import { spendingSpace } from '../errors.ts';
import { checkName, snapshotFolder, temporaryName, topMode, volumeFolders } from '../layout.ts';
import { type TreeContext, destroyLater, discard, ensureSnapshots, openTop, openVolumes } from './trees.ts';

/** Everything is made under temporary names; at the end the snapshots get theirs and the volume is exchanged. */
export async function refillVolume(context: TreeContext, volume: Volume, fill: RefillVolume): Promise<void> {
  using old = openTop(context, volume);
  using parent = openVolumes(context, volume.kind);
  using snapshots = ensureSnapshots(context, volume);
  const beside = temporaryName();
  const kept = new Map<string, string>();
  const keepSnapshot = async (name: string): Promise<void> => {
    using now = parent.child(beside);
    const half = temporaryName();
    kept.set(checkName(name), half);
    await spendingSpace(`creating snapshot "${name}"`, () => context.operations.copy(now, snapshots, half, true));
  };
  try {
    await spendingSpace(`copying volume "${volume.name}"`, () => context.operations.copy(old, parent, beside, false));
    await spendingSpace(`filling volume "${volume.name}"`, () =>
      fill(path.join(context.mountPoint, volumeFolders[volume.kind], beside), keepSnapshot),
    );
    using fresh = parent.child(beside);
    if (volume.kind === 'container') fresh.takeOver(topMode(volume.kind));
    await context.operations.succeed(old, fresh);
  } catch (error) {
    for (const half of kept.values()) await context.operations.destroy(snapshots, half);
    await context.operations.destroy(parent, beside);
    throw error;
  }
  for (const [name, half] of kept) {
    discard(context, path.join(snapshotFolder(volume.kind), volume.name), name);
    snapshots.rename(half, name);
  }
  parent.exchange(beside, volume.name);
  destroyLater(context, volumeFolders[volume.kind], beside);
}
