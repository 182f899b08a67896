import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { DriverContext, Snapshot, Volume } from '../driver.ts';
import { checkName, snapshotFolder, volumeFolders } from '../layout.ts';
import type { Background } from '../trees/background.ts';

/** What the parts of the driver share. */
export interface ZfsContext extends DriverContext {
  config: ConfigMap;
  readonly background: Background;
  /** folders of snapshots that are mounted, each with how many have asked for it */
  readonly mountedSnapshots: Map<string, { users: number; readonly ready: Promise<void> }>;
  /** known once the pool is mounted */
  idmappedMounts: boolean;
}

/** Properties of every dataset of ours: the driver mounts them itself. */
export const ownProperties = ['-o', 'mountpoint=legacy', '-o', 'canmount=noauto'] as const;

/** Where datasets lie that are deleted but still have clones. */
export const deletedFolder = 'deleted';

/** Datasets that hold others, named as LXD names them; those of branches are made with the first branch. */
export const folderDatasets: readonly string[] = [...Object.values(volumeFolders), deletedFolder];

/** The zpool or dataset that the pool is kept in. */
export function rootDataset(context: Pick<ZfsContext, 'config'>): string {
  return context.config['zfs.pool_name'] ?? '';
}

export function zpoolOf(context: Pick<ZfsContext, 'config'>): string {
  return rootDataset(context).split('/')[0] ?? '';
}

export function datasetIn(context: ZfsContext, folder: string, name: string): string {
  return `${rootDataset(context)}/${folder}/${name}`;
}

export function volumeDataset(context: ZfsContext, volume: Volume): string {
  return datasetIn(context, volumeFolders[volume.kind], checkDatasetName(volume.name));
}

/**
 * Holds the branches of a volume: datasets with snapshots that are not on the line of its present content, because an
 * older snapshot was restored or because they came from elsewhere.
 */
export function branchesDataset(context: ZfsContext, volume: Volume): string {
  return datasetIn(context, snapshotFolder(volume.kind), checkDatasetName(volume.name));
}

const snapshotPrefix = 'snapshot-';

/** Name after the "@", as LXD writes it. */
export function snapshotLabel(snapshot: Snapshot): string {
  return snapshotPrefix + checkDatasetName(snapshot.name);
}

/** The snapshot's name in a full name of ZFS; undefined when it is one of the driver's own. */
export function snapshotNameIn(fullName: string): string | undefined {
  const label = fullName.slice(fullName.indexOf('@') + 1);
  return label.startsWith(snapshotPrefix) ? label.slice(snapshotPrefix.length) : undefined;
}

/** Names for snapshots of the driver's own: what is copied or sent, and deleted ones that still have clones. */
export const ownLabels = { image: 'readonly', copy: 'copy-', deleted: 'deleted-' } as const;

/** Throws "invalid-argument" unless ZFS can bear the name as it is. */
export function checkDatasetName(name: string): string {
  if (/^[\w.: -]+$/.test(checkName(name))) return name;
  throw new ApiError(
    'invalid-argument',
    `Cannot use "${name}" as a name in a storage pool of driver "zfs": letters, digits and "-_.: " are allowed`,
  );
}
