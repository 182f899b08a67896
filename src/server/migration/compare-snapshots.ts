import type { SnapshotEntry } from '#protocol/messages.ts';

export interface KnownSnapshot {
  readonly name: string;
  /** seconds since 1970 */
  readonly createdAt: number;
}

/** Snapshots are the same when name and second of creation are, where the source tells that: what a refresh needs, and what is to go at its end. */
export function compareSnapshots(
  offered: readonly SnapshotEntry[],
  known: readonly KnownSnapshot[],
): { readonly wanted: readonly SnapshotEntry[]; readonly gone: readonly string[] } {
  const wanted = offered.filter(
    snapshot =>
      !known.some(
        here => here.name === snapshot.name && (here.createdAt === snapshot.createdAt || snapshot.createdAt <= 0),
      ),
  );
  const gone = known.filter(here => !offered.some(snapshot => snapshot.name === here.name));
  return { wanted, gone: gone.map(snapshot => snapshot.name) };
}
