import { initialSchema } from './001-initial.ts';
import { networkObjects } from './002-network-objects.ts';
import { backupsSchema } from './003-backups.ts';

/** Steps of the global database's schema, in order. */
export const globalMigrations: readonly string[] = [initialSchema, networkObjects, backupsSchema];
