import type { KeyedLock } from '#base/keyed-lock.ts';
import type { Log } from '#base/log.ts';
import type { Authority } from './certificates/authority.ts';
import type { TrustStore } from './certificates/trust-store.ts';
import type { Database } from './database/database.ts';
import type { EventBus } from './events/event-bus.ts';
import type { NetworkControl, Networks } from './networks/networks.ts';
import type { Operations } from './operations/operation.ts';
import type { StatePaths } from './paths.ts';
import type { PoolRegistry } from './pools/pools.ts';
import type { Runtime } from './runtime/runtime.ts';
import type { ServerSettings } from './settings/server-settings.ts';
import type { Settings } from './settings/settings.ts';

/** The daemon's services. Each use case takes a `Pick` of them; only main.ts builds the whole. */
export interface Services {
  /** the global database */
  readonly database: Database;
  /** this server's own */
  readonly localDatabase: Database;
  readonly events: EventBus;
  readonly operations: Operations;
  readonly locks: KeyedLock;
  readonly paths: StatePaths;
  readonly pools: PoolRegistry;
  readonly networks: Networks;
  readonly networkControl: NetworkControl;
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly identity: ServerIdentity;
  readonly administration: Administration;
  readonly control: DaemonControl;
  readonly log: Log;
}

/** What only the routes of certificates and server config change. */
export interface Administration {
  readonly trust: TrustStore;
  /** whose signature clients need; undefined without a file server.ca */
  readonly authority: Authority | undefined;
  readonly settings: ServerSettings;
}

/** The server's own certificate. */
export interface ServerIdentity {
  /** PEM */
  readonly certificate: string;
  /** PEM */
  readonly key: string;
  /** SHA-256 of the DER, lower-case hex */
  readonly fingerprint: string;
}

/** Addresses to listen on, "" for none. */
export interface ListenAddresses {
  /** core.https_address */
  readonly https: string;
  /** core.metrics_address */
  readonly metrics: string;
  /** core.dns_address */
  readonly dns: string;
}

/** What a request may ask of the daemon as a whole. */
export interface DaemonControl {
  /** resolves when what the last daemon left is taken over and put right; until then requests about resources wait */
  recovered(): Promise<void>;
  /** resolves when pools, networks and auto-started instances are up */
  ready(): Promise<void>;
  readonly shuttingDown: boolean;
  /** stops instances (unless `force`) and ends the daemon; resolves when it may exit */
  shutdown(options: { readonly force: boolean; readonly timeoutMs: number }): Promise<void>;
  /** opens, moves or closes listeners; rejects when it cannot */
  applyListeners(addresses: ListenAddresses): Promise<void>;
  /** addresses that the HTTPS listener answers on */
  readonly addresses: readonly string[];
}
