import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import { nextSnapshotName } from '#base/snapshot-name.ts';

/** Kept with the snapshot that was taken before a restore; an instance or volume has one, that before the last. */
const safetyMark = 'volatile.snapshot.safety';

interface SnapshotRow {
  readonly name: string;
  readonly config: ConfigMap;
}

/** The snapshots of one instance or volume, whose lock the caller holds. */
export interface SnapshotsOf {
  list(): Promise<readonly SnapshotRow[]>;
  create(request: { readonly name: string; readonly expires_at: string; readonly config: ConfigMap }): Promise<string>;
  delete(name: string): Promise<void>;
}

/**
 * Restores after taking the snapshot by which that can be undone, where one is asked for; it takes the place of the one
 * before the last restore. A project that forbids snapshots has none, and its restores go on as they did.
 */
export async function restoreSafely(
  snapshots: SnapshotsOf,
  { keptUntil, log }: { readonly keptUntil: string | undefined; readonly log: Log },
  restore: (safety: string | undefined) => Promise<void>,
): Promise<void> {
  const safety = keptUntil === undefined ? undefined : await takeSnapshot(snapshots, keptUntil, log);
  await restore(safety);
  if (safety === undefined) return;
  for (const { name, config } of await snapshots.list()) {
    if (config[safetyMark] !== 'true' || name === safety) continue;
    // one that cannot be deleted now expires
    await snapshots.delete(name).catch((error: unknown) => {
      log.warning('Failed deleting the snapshot of an earlier restore', { snapshot: name, error });
    });
  }
}

/** "before-restore0", or the next number while that is there. */
async function takeSnapshot(snapshots: SnapshotsOf, keptUntil: string, log: Log): Promise<string | undefined> {
  const taken = (await snapshots.list()).map(({ name }) => name);
  const name = nextSnapshotName('before-restore%d', taken, new Date());
  try {
    return await snapshots.create({ name, expires_at: keptUntil, config: { [safetyMark]: 'true' } });
  } catch (error) {
    if (!ApiError.is(error, 'permission-denied')) throw error;
    log.info('No snapshot was taken before a restore', { error });
    return undefined;
  }
}
