import type { PoolRow } from '../database/storage-pools.ts';
import type { Pool } from '#storage/pool.ts';

/** Pools that this daemon has mounted, by name. */
export interface Pools {
  /** Throws "not-found", or "unavailable" with the reason when the pool could not be mounted. */
  get(name: string): Pool;
  list(): readonly Pool[];
}

/** What the use cases of pools themselves need beyond that. */
export interface PoolRegistry extends Pools {
  /** The pool of a row, neither known nor mounted by that. */
  build(row: Pick<PoolRow, 'name' | 'driver' | 'config'>): Pool;
  /** Makes a pool known that is mounted, in place of an older one of its name. */
  add(pool: Pool): void;
  /** The daemon does not answer for the pool any more. Succeeds when it is not known. */
  remove(name: string): void;
  /** Why a known pool is not mounted; undefined when it is. */
  problemOf(name: string): string | undefined;
}
