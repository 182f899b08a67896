import type { Link } from '#native/addon/index.d.ts';
import type { NetworkDriver, NetworkPolicies, NetworkType } from '#network/driver.ts';
import type { Database } from '../database/database.ts';
import type { NetworkRecord } from '../database/networks.ts';

/** What it takes to bring up a network. */
export type NetworkPlan = Pick<NetworkRecord, 'name' | 'type' | 'config'> & { readonly policies: NetworkPolicies };

/** Managed networks that this daemon has brought up, by name. */
export interface Networks {
  /** Throws "not-found", or "unavailable" with the reason when the network could not be started. */
  get(name: string): NetworkDriver;
  find(name: string): NetworkDriver | undefined;
  /** nft table (families inet and bridge) of this daemon */
  readonly firewallTable: string;
}

/** What only the use cases of networks change. */
export interface NetworkControl {
  /** Brings up every network of the database and looks after them from then on; one that fails is logged. */
  start(database: Pick<Database, 'read'>): Promise<void>;
  /** Throws "invalid-argument" for a type that this server does not have. */
  type(name: string): NetworkType;
  /** Why a managed network is not up; undefined when it is. */
  failure(name: string): string | undefined;
  /** names of all managed networks that this daemon knows, up or not */
  names(): readonly string[];
  /** Interfaces of the host, managed ones among them. */
  links(): readonly Link[];
  /** Starts a network; it is known from then on, also when the start fails. */
  bringUp(network: NetworkPlan): Promise<NetworkDriver>;
  /** Stops a network, started or not, and forgets it; its folder stays. */
  takeDown(network: Pick<NetworkRecord, 'name' | 'type' | 'config'>): Promise<void>;
}
