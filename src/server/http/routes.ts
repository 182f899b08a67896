import type { Route, UpgradeRoute } from './route.ts';
import { certificateRoutes } from './routes/certificates.ts';
import { eventUpgrades } from './routes/events.ts';
import { internalRoutes } from './routes/internal.ts';
import { networkRoutes } from './routes/networks.ts';
import { operationRoutes, operationUpgrades } from './routes/operations.ts';
import { projectRoutes } from './routes/projects.ts';
import { resourceRoutes } from './routes/resources.ts';
import { serverRoutes } from './routes/server.ts';
import { storagePoolRoutes } from './routes/storage-pools.ts';
import { warningRoutes } from './routes/warnings.ts';

/** All routes: a resource is added by its import above and a line below. */
export const routes: readonly Route[] = [
  ...serverRoutes,
  ...certificateRoutes,
  ...networkRoutes,
  ...operationRoutes,
  ...projectRoutes,
  ...resourceRoutes,
  ...storagePoolRoutes,
  ...warningRoutes,
  ...internalRoutes,
];

export const upgradeRoutes: readonly UpgradeRoute[] = [...eventUpgrades, ...operationUpgrades];
