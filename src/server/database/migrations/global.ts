import type { Migrations } from '../migrations.ts';
import { initialSchema } from './001-initial.ts';
import { volumesSchema } from './002-volumes.ts';

/** The schema of the global database, oldest part first: a landed part never changes. */
export const globalMigrations: Migrations = [initialSchema, volumesSchema];
