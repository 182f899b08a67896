import type { ConfigMap } from '#api/common.ts';
import type { Instance, InstanceSnapshot } from '#api/instance.ts';
import type { Profile } from '#api/profile.ts';
import type { StoragePool } from '#api/storage.ts';

/** A volume as backup files and stream headers describe it. */
export interface ArchivedVolume {
  readonly name: string;
  readonly description: string;
  readonly type: string;
  readonly content_type: string;
  readonly config: ConfigMap;
  readonly project: string;
  readonly location: string;
  readonly used_by: readonly string[];
  readonly created_at: string;
}

export interface ArchivedVolumeSnapshot {
  readonly name: string;
  readonly description: string;
  readonly content_type: string;
  readonly config: ConfigMap;
  readonly created_at: string;
  /** zero time: never */
  readonly expires_at: string;
}

/**
 * All there is to know of an instance or custom volume, with LXD's names: what `backup.yaml` beside each instance, the
 * index of a backup and the header of a migration hold. A custom volume has no `container`.
 */
export interface BackupConfig {
  readonly container?: Instance;
  /** oldest first */
  readonly snapshots?: readonly InstanceSnapshot[];
  readonly pool?: StoragePool;
  readonly profiles?: readonly Profile[];
  readonly volume?: ArchivedVolume;
  /** oldest first */
  readonly volume_snapshots?: readonly ArchivedVolumeSnapshot[];
}

/** backup/index.yaml: the first member of a backup. */
export interface BackupIndex {
  readonly name: string;
  /** name of the pool's driver */
  readonly backend: string;
  readonly pool: string;
  /** names, oldest first */
  readonly snapshots?: readonly string[];
  /** the content lies in streams of the driver's, not in file trees */
  readonly optimized: boolean;
  /** backup/optimized_header.yaml tells what the streams hold */
  readonly optimized_header: boolean;
  readonly type: 'container' | 'custom';
  readonly config?: BackupConfig;
}

/** Largest text of an index or a backup.yaml that is read. */
export const maxBackupConfigBytes = 4 * 2 ** 20;
