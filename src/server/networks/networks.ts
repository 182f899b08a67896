import type { NetworkDriver } from '#network/driver.ts';

/** Managed networks that this daemon has brought up, by name. */
export interface Networks {
  /** Throws "not-found", or "unavailable" with the reason when the network could not be started. */
  get(name: string): NetworkDriver;
  find(name: string): NetworkDriver | undefined;
}
