import type { PoolRow } from '../database/storage-pools.ts';
import type { Pool } from '#storage/pool.ts';

/** URL path of a pool. */
export function poolPath(name: string): string {
  return `/1.0/storage-pools/${encodeURIComponent(name)}`;
}

/** Pools that this daemon has mounted, by name. */
export interface Pools {
  /** Throws "not-found", or "unavailable" with the reason when the pool could not be mounted. */
  get(name: string): Pool;
  list(): readonly Pool[];
}

/** What the use cases of pools themselves need beyond that. */
export interface PoolRegistry extends Pools {
  /** Mounts all pools; one that fails is "unavailable" until a later attempt succeeds. Called once. */
  start(): Promise<void>;
  /**
   * Waits for deletions that go on. With `unmount` the pools are unmounted too: only when no instance runs, because
   * theirs would keep a file system in use that the next start could not mount again.
   */
  close(options: { readonly unmount: boolean }): Promise<void>;
  /** The pool of a row, neither known nor mounted by that. */
  build(row: Pick<PoolRow, 'name' | 'driver' | 'config'>): Pool;
  /** Makes a pool known that is mounted, in place of an older one of its name. */
  add(pool: Pool): void;
  /** The daemon does not answer for the pool any more. Succeeds when it is not known. */
  remove(name: string): void;
  /** Why a known pool is not mounted; undefined when it is. */
  problemOf(name: string): string | undefined;
}
