import type { ChainedTree } from '#storage/driver.ts';

/** Names in a backup archive, as LXD has them. */
export interface ArchiveNames {
  /** of the volume itself: a folder, or with ".bin" a stream */
  readonly volume: string;
  /** folder of the snapshots */
  readonly snapshots: string;
}

export const archiveNames: Readonly<Record<'container' | 'custom', ArchiveNames>> = {
  container: { volume: 'backup/container', snapshots: 'backup/snapshots' },
  custom: { volume: 'backup/volume', snapshots: 'backup/volume-snapshots' },
};

/** Name of a stream: that of the tree at its path, as LXD makes it. */
export function streamName(names: ArchiveNames, { snapshot, path }: Pick<ChainedTree, 'snapshot' | 'path'>): string {
  const top = snapshot === undefined ? names.volume : `${names.snapshots}/${snapshot}`;
  return `${top}${path === '/' ? '' : `_${path.slice(1).replaceAll('/', '-')}`}.bin`;
}

export const indexName = 'backup/index.yaml';
export const streamHeaderName = 'backup/optimized_header.yaml';
