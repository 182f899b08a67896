import type { Migrations } from '../migrations.ts';
import { initialSchema } from './001-initial.ts';
import { networkObjects } from './002-network-objects.ts';
import { backupsSchema } from './003-backups.ts';
import { volumesSchema } from './004-volumes.ts';
import { trashSchema } from './005-trash.ts';
import { changesSchema } from './006-changes.ts';

/** The schema of the global database, oldest part first: a landed part never changes. */
export const globalMigrations: Migrations = [
  initialSchema,
  networkObjects,
  backupsSchema,
  volumesSchema,
  trashSchema,
  changesSchema,
];
