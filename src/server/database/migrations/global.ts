import { initialSchema } from './001-initial.ts';
import { networkObjects } from './002-network-objects.ts';

/** Steps of the global database's schema, in order. */
export const globalMigrations: readonly string[] = [initialSchema, networkObjects];
