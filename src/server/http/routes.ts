import type { Route, UpgradeRoute } from './route.ts';
import { certificateRoutes } from './routes/certificates.ts';
import { clusterRoutes } from './routes/cluster.ts';
import { consoleRoutes } from './routes/console.ts';
import { eventUpgrades } from './routes/events.ts';
import { execRoutes } from './routes/exec.ts';
import { fileRoutes } from './routes/files.ts';
import { imageAliasRoutes } from './routes/image-aliases.ts';
import { imageRoutes } from './routes/images.ts';
import { instanceMetadataRoutes } from './routes/instance-metadata.ts';
import { instanceStateRoutes } from './routes/instance-state.ts';
import { instanceBackupRoutes } from './routes/instance-backups.ts';
import { instanceRoutes } from './routes/instances.ts';
import { internalRoutes } from './routes/internal.ts';
import { logRoutes } from './routes/logs.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { networkAclRoutes } from './routes/network-acls.ts';
import { networkForwardRoutes } from './routes/network-forwards.ts';
import { networkRoutes } from './routes/networks.ts';
import { networkZoneRoutes } from './routes/network-zones.ts';
import { operationRoutes, operationUpgrades } from './routes/operations.ts';
import { profileRoutes } from './routes/profiles.ts';
import { projectRoutes } from './routes/projects.ts';
import { resourceRoutes } from './routes/resources.ts';
import { serverRoutes } from './routes/server.ts';
import { sftpUpgrades } from './routes/sftp.ts';
import { snapshotFileRoutes } from './routes/snapshot-files.ts';
import { snapshotRoutes } from './routes/snapshots.ts';
import { storagePoolRoutes } from './routes/storage-pools.ts';
import { storageVolumeRoutes } from './routes/storage-volumes.ts';
import { trashRoutes } from './routes/trash.ts';
import { undoRoutes } from './routes/undo.ts';
import { volumeBackupRoutes } from './routes/volume-backups.ts';
import { volumeSnapshotRoutes } from './routes/volume-snapshots.ts';
import { warningRoutes } from './routes/warnings.ts';

/** All routes: a resource is added by its import above and a line below. */
export const routes: readonly Route[] = [
  ...serverRoutes,
  ...certificateRoutes,
  ...clusterRoutes,
  ...imageAliasRoutes,
  ...imageRoutes,
  ...instanceRoutes,
  ...instanceMetadataRoutes,
  ...instanceStateRoutes,
  ...snapshotRoutes,
  ...snapshotFileRoutes,
  ...instanceBackupRoutes,
  ...execRoutes,
  ...consoleRoutes,
  ...fileRoutes,
  ...logRoutes,
  ...profileRoutes,
  ...metricsRoutes,
  ...networkRoutes,
  ...networkAclRoutes,
  ...networkForwardRoutes,
  ...networkZoneRoutes,
  ...operationRoutes,
  ...projectRoutes,
  ...resourceRoutes,
  ...storagePoolRoutes,
  ...storageVolumeRoutes,
  ...trashRoutes,
  ...undoRoutes,
  ...volumeBackupRoutes,
  ...volumeSnapshotRoutes,
  ...warningRoutes,
  ...internalRoutes,
];

export const upgradeRoutes: readonly UpgradeRoute[] = [...eventUpgrades, ...operationUpgrades, ...sftpUpgrades];
