import { ApiError } from '#api/error.ts';
import type { SnapshotChange } from '#api/snapshot-diff.ts';
import { getInstance } from '#server/database/instances.ts';
import { hasNativeDiffs } from '#storage/driver.ts';
import type { TreeChange } from '#storage/diff/tree-change.ts';
import { walkDiff } from '#storage/diff/walk-diff.ts';
import type { InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume } from './root-volume.ts';
import { getReadySnapshot } from './snapshots.ts';

export interface DiffRequest {
  readonly project: string;
  readonly instance: string;
  readonly from: string;
  /** another snapshot; undefined = the instance as it is now */
  readonly to: string | undefined;
  /** only what is at or below it; undefined = everything */
  readonly path: string | undefined;
}

/** What the guest's files became between a snapshot and another, or now. Paths are the guest's. */
export async function diffSnapshots(
  services: Pick<InstanceServices, 'database' | 'pools' | 'paths'>,
  { project, instance, from, to, path }: DiffRequest,
  signal?: AbortSignal,
): Promise<readonly SnapshotChange[]> {
  const record = await services.database.read(async reader => {
    const record = await getInstance(reader, project, instance);
    if (!record.ready) throw new ApiError('failed-precondition', `Instance "${instance}" is not complete`);
    for (const name of to === undefined ? [from] : [from, to]) await getReadySnapshot(reader, record.id, name);
    return record;
  });
  const pool = rootPool(services, record);
  const volume = rootVolume(record);
  const { driver } = pool;
  const changes = hasNativeDiffs(driver)
    ? await driver.diffSnapshots({ volume, name: from }, to, signal)
    : await pool.withMounted({ volume, name: from }, before =>
        pool.withMounted(to === undefined ? volume : { volume, name: to }, after => walkDiff(before, after)),
      );
  return changes.flatMap(change => guestsView(change, path));
}

/** Paths below the root file system; what lies beside it is the daemon's. */
function guestsView({ path, kind, from }: TreeChange, wanted: string | undefined): readonly SnapshotChange[] {
  if (!path.startsWith('rootfs/')) return [];
  const seen = path.slice('rootfs'.length);
  const below = wanted?.replace(/\/+$/, '') ?? '';
  if (below !== '' && seen !== below && !seen.startsWith(`${below}/`)) return [];
  return [{ path: seen, kind, ...(from?.startsWith('rootfs/') && { from: from.slice('rootfs'.length) }) }];
}
