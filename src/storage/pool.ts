import type { KeyedLock } from '#base/keyed-lock.ts';
import type { Log } from '#base/log.ts';
import type { StorageDriver, Volume } from './driver.ts';

/**
 * A pool that is in use: a driver's verbs with a lock per volume, mount counts, and image volumes that are unpacked
 * once and then cloned.
 */
export class Pool {
  readonly name: string;
  readonly driver: StorageDriver;
  readonly #locks: KeyedLock;
  readonly #log: Log;

  constructor(name: string, driver: StorageDriver, locks: KeyedLock, log: Log) {
    this.name = name;
    this.driver = driver;
    this.#locks = locks;
    this.#log = log;
  }
}

/** Fills the folder of a new image volume; the folder is empty and belongs to root. */
export type FillVolume = (folder: string) => Promise<void>;

export type { Volume };
