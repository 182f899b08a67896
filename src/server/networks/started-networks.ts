import { ApiError, invalid, notFound } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import type { Link } from '#native/addon/index.d.ts';
import { type NetworkDriver, type NetworkType, noPolicies } from '#network/driver.ts';
import { refusedTypes } from '#network/drivers.ts';
import type { Database } from '../database/database.ts';
import type { NetworkRecord } from '../database/networks.ts';
import type { StatePaths } from '../paths.ts';
import type { NetworkControl, NetworkPlan, Networks } from './networks.ts';
import { loadPlans } from './policies.ts';

const healEveryMs = 2000;
const retryEveryMs = 30_000;

type Named = Pick<NetworkRecord, 'name' | 'type' | 'config'>;

interface Entry {
  readonly driver: NetworkDriver;
  /** why it is not up */
  failure?: string;
  triedAt: number;
}

export interface NetworkHost {
  readonly types: ReadonlyMap<string, NetworkType>;
  readonly links: () => readonly Link[];
  readonly paths: Pick<StatePaths, 'network'>;
  /** nft table of this daemon */
  readonly firewallTable: string;
  readonly log: Log;
}

/** The networks of this server: started at boot, looked after while the daemon runs, left alone when it ends. */
export class StartedNetworks implements Networks, NetworkControl {
  readonly #host: NetworkHost;
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #healing: Promise<void> | undefined;

  constructor(host: NetworkHost) {
    this.#host = host;
  }

  get firewallTable(): string {
    return this.#host.firewallTable;
  }

  /** Brings up every network of the database; one that fails is logged, and tried again later. */
  async start(database: Pick<Database, 'read'>): Promise<void> {
    for (const plan of await database.read(loadPlans)) {
      try {
        await this.bringUp(plan);
      } catch (error) {
        this.#host.log.error(`Failed starting network "${plan.name}"`, { error });
      }
    }
    this.#timer = setInterval(() => void this.heal(), healEveryMs);
    this.#timer.unref();
  }

  /** Leaves all networks as they are, for a daemon that ends. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#healing;
    await Promise.all([...this.#entries.values()].map(({ driver }) => driver.release()));
  }

  /** Looks after every network once; overlapping calls share one look. */
  heal(): Promise<void> {
    this.#healing ??= this.#healAll().finally(() => (this.#healing = undefined));
    return this.#healing;
  }

  get(name: string): NetworkDriver {
    const entry = this.#entries.get(name);
    if (!entry) throw notFound('Network', name);
    if (entry.failure !== undefined) {
      throw new ApiError('unavailable', `Network "${name}" could not be started: ${entry.failure}`);
    }
    return entry.driver;
  }

  find(name: string): NetworkDriver | undefined {
    const entry = this.#entries.get(name);
    return entry?.failure === undefined ? entry?.driver : undefined;
  }

  type(name: string): NetworkType {
    const type = this.#host.types.get(name);
    if (type) return type;
    const reason = Object.hasOwn(refusedTypes, name) ? refusedTypes[name] : undefined;
    if (reason !== undefined) throw invalid('type', `"${name}" ${reason}`);
    const known = [...this.#host.types.keys()].join(', ');
    throw invalid('type', `"${name}" is not one of ${known}`);
  }

  failure(name: string): string | undefined {
    const entry = this.#entries.get(name);
    return entry ? entry.failure : 'it was not started';
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  links(): readonly Link[] {
    return this.#host.links();
  }

  async bringUp(network: NetworkPlan): Promise<NetworkDriver> {
    const former = this.#entries.get(network.name);
    await former?.driver.release();
    const entry: Entry = { driver: this.#create(network), failure: 'it is being started', triedAt: 0 };
    this.#entries.set(network.name, entry);
    await this.#start(entry);
    return entry.driver;
  }

  async takeDown(network: Named): Promise<void> {
    const driver = this.#entries.get(network.name)?.driver ?? this.#create({ ...network, policies: noPolicies });
    this.#entries.delete(network.name);
    await driver.stop();
  }

  #create({ name, type, config, policies }: NetworkPlan): NetworkDriver {
    const { paths, firewallTable, log } = this.#host;
    return this.type(type).create({ name, config, policies, folder: paths.network(name), firewallTable, log });
  }

  async #start(entry: Entry): Promise<void> {
    entry.triedAt = performance.now();
    try {
      await entry.driver.start();
      delete entry.failure;
    } catch (error) {
      entry.failure = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  async #healAll(): Promise<void> {
    for (const [name, entry] of this.#entries) {
      try {
        if (entry.failure === undefined) {
          const faults = await entry.driver.heal();
          if (faults.length > 0) this.#host.log.warning(`Healed network "${name}"`, { faults });
        } else if (performance.now() - entry.triedAt >= retryEveryMs) {
          await this.#start(entry);
          this.#host.log.info(`Network "${name}" could be started now`);
        }
      } catch (error) {
        this.#host.log.error(`Failed looking after network "${name}"`, { error });
      }
    }
  }
}
