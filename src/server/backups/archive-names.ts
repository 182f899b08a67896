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

export const indexName = 'backup/index.yaml';
export const streamHeaderName = 'backup/optimized_header.yaml';
