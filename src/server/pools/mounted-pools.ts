import { ApiError, notFound } from '#api/error.ts';
import { driverType } from '#storage/drivers.ts';
import type { DriverType } from '#storage/driver.ts';
import { Pool } from '#storage/pool.ts';
import path from 'node:path';
import { listPools, type PoolRow } from '../database/storage-pools.ts';
import { resolveWarning, saveWarning } from '../database/warnings.ts';
import type { Services } from '../services.ts';
import { poolPath, type PoolRegistry } from './pools.ts';

type Uses = Pick<Services, 'database' | 'paths' | 'locks' | 'log'>;

interface Entry {
  readonly pool: Pool;
  /** why it is not mounted; undefined when it is */
  problem: string | undefined;
  mounting: Promise<void> | undefined;
}

const retryMs = 30_000;

/** The pools of this host. One that cannot be mounted is tried again: every half minute, and when it is asked for. */
export class MountedPools implements PoolRegistry {
  readonly #services: Uses;
  readonly #typeOf: (driver: string) => DriverType;
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(services: Uses, typeOf: (driver: string) => DriverType = driverType) {
    this.#services = services;
    this.#typeOf = typeOf;
  }

  async start(): Promise<void> {
    const rows = (await this.#services.database.read(listPools)).filter(row => row.ready);
    for (const row of rows) {
      this.#entries.set(row.name, { pool: this.build(row), problem: 'it is not mounted yet', mounting: undefined });
    }
    await this.#mountMissing();
    this.#timer = setInterval(() => void this.#mountMissing(), retryMs).unref();
  }

  async close({ unmount }: { readonly unmount: boolean }): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#entries.values()].map(entry => this.#closeOne(entry, unmount)));
  }

  get(name: string): Pool {
    const entry = this.#entries.get(name);
    if (!entry) throw notFound('Storage pool', name);
    if (entry.problem === undefined) return entry.pool;
    void this.#mount(entry);
    throw new ApiError('unavailable', `Storage pool "${name}" is unavailable: ${entry.problem}`);
  }

  list(): readonly Pool[] {
    return [...this.#entries.values()].filter(entry => entry.problem === undefined).map(entry => entry.pool);
  }

  build({ name, driver, config }: Pick<PoolRow, 'name' | 'driver' | 'config'>): Pool {
    const { paths, locks, log } = this.#services;
    const loopFile = path.join(paths.disks, `${name}.img`);
    const context = { poolName: name, config, mountPoint: paths.pool(name), loopFile, log };
    return new Pool(name, this.#typeOf(driver).create(context), locks, log);
  }

  add(pool: Pool): void {
    this.#entries.set(pool.name, { pool, problem: undefined, mounting: undefined });
  }

  remove(name: string): void {
    this.#entries.delete(name);
  }

  problemOf(name: string): string | undefined {
    return this.#entries.get(name)?.problem;
  }

  async #mountMissing(): Promise<void> {
    const missing = [...this.#entries.values()].filter(entry => entry.problem !== undefined);
    await Promise.all(missing.map(entry => this.#mount(entry)));
  }

  /** Never rejects; one attempt at a time. */
  #mount(entry: Entry): Promise<void> {
    entry.mounting ??= this.#attempt(entry).finally(() => (entry.mounting = undefined));
    return entry.mounting;
  }

  async #attempt(entry: Entry): Promise<void> {
    const { log } = this.#services;
    try {
      await entry.pool.mount();
      entry.problem = undefined;
      log.info(`Mounted storage pool "${entry.pool.name}"`);
      await this.#warn(entry.pool.name, undefined);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const isNew = problem !== entry.problem;
      entry.problem = problem;
      if (!isNew) return;
      log.error(`Failed mounting storage pool "${entry.pool.name}"`, { error });
      await this.#warn(entry.pool.name, problem);
    }
  }

  /** Never rejects: a warning must not keep a pool from being used. */
  async #warn(pool: string, problem: string | undefined): Promise<void> {
    const { database, log } = this.#services;
    const warning = { project: '', entityUrl: poolPath(pool), type: 'Storage pool unavailable' };
    try {
      await database.write(tx =>
        problem === undefined
          ? resolveWarning(tx, warning)
          : saveWarning(tx, { ...warning, severity: 'high', message: problem }),
      );
    } catch (error) {
      log.warning('Failed storing a warning', { error });
    }
  }

  async #closeOne({ pool, problem }: Entry, unmount: boolean): Promise<void> {
    if (problem !== undefined) return;
    await pool.settle();
    if (!unmount) return;
    await pool.unmount().catch((error: unknown) => {
      this.#services.log.warning(`Failed unmounting storage pool "${pool.name}"`, { error });
    });
  }
}
