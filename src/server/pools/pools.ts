import type { Pool } from '#storage/pool.ts';

/** Pools that this daemon has mounted, by name. */
export interface Pools {
  /** Throws "not-found", or "unavailable" with the reason when the pool could not be mounted. */
  get(name: string): Pool;
  list(): readonly Pool[];
}
