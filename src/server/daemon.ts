import { createLog, type Log, type LogLevel } from '#base/log.ts';
import { KeyedLock } from '#base/keyed-lock.ts';
import { loadAuthority } from './certificates/authority.ts';
import { loadIdentity } from './certificates/identity.ts';
import { TrustStore } from './certificates/trust-store.ts';
import { globalMigrations } from './database/migrations/global.ts';
import { localSchema } from './database/migrations/local-001-initial.ts';
import { SqliteDatabase } from './database/sqlite.ts';
import { applyPatches } from './database/patch-files.ts';
import { LocalEventBus } from './events/bus.ts';
import { buildApp } from './http/app.ts';
import { authenticate } from './http/authenticate.ts';
import { Listeners } from './http/listeners.ts';
import { routes, upgradeRoutes } from './http/routes.ts';
import { upgradeHandler } from './http/upgrade.ts';
import { logSink } from './log-sink.ts';
import { ZoneServer } from './networks/zone-server.ts';
import { LocalOperations } from './operations/local-operations.ts';
import type { StatePaths } from './paths.ts';
import { RepeatedStep } from './repeated-step.ts';
import type { DaemonControl, ListenAddresses, Services } from './services.ts';
import { ServerSettings } from './settings/server-settings.ts';
import { listenAddresses } from './settings/update-settings.ts';
import { holdStateDirectory, type HeldDirectory, makeFolders } from './state-directory.ts';

const stopDeadlineMs = 10_000;
// time for the answer to a shutdown request to leave
const answerMs = 50;
const minuteMs = 60_000;
// tests do not wait a minute
const roundMs = Number(process.env['LXD_LIKE_ROUND_MS']) || minuteMs;

/** What this daemon builds itself, before the parts that drive the kernel. */
export type CoreServices = Omit<Services, 'pools' | 'networks' | 'networkControl' | 'runtime'>;

/** Parts that drive the kernel, and what start and shutdown do with them. main.ts gives them. */
export interface Equipment {
  readonly build: (core: CoreServices) => Promise<Pick<Services, 'pools' | 'networks' | 'networkControl' | 'runtime'>>;
  /** in order, after the API listens; requests about resources wait for them. A step that fails is logged */
  readonly recoverySteps: readonly StartStep[];
  /** likewise, but requests are served meanwhile */
  readonly startSteps: readonly StartStep[];
  /** once a minute from when the daemon is ready until it stops */
  readonly minuteSteps?: readonly StartStep[];
  /** stops instances and networks, for a shutdown */
  readonly stopAll: (services: Services, options: StopOptions) => Promise<void>;
  /** uid of the process at the other end of a connected unix socket */
  readonly peerUid: (descriptor: number) => number;
}

export interface StartStep {
  /** such as "mounting the storage pools" */
  readonly what: string;
  readonly run: (services: Services) => Promise<void>;
}

export interface StopOptions {
  readonly force: boolean;
  readonly timeoutMs: number;
}

export interface DaemonOptions {
  readonly paths: StatePaths;
  readonly logFile?: string;
  readonly logLevel: LogLevel;
  /** group that may open the API socket */
  readonly socketGid: number;
}

/** The daemon's life: hold the directory, open the databases, listen, then bring up the rest in the background. */
export class Daemon implements DaemonControl {
  readonly #equipment: Equipment;
  readonly #directory: HeldDirectory;
  readonly #core: CoreServices;
  #services: Services | undefined;
  #listeners: Listeners | undefined;
  #zones: ZoneServer | undefined;
  #recovered: Promise<void> = Promise.resolve();
  #ready: Promise<void> = Promise.resolve();
  #shutdown: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #forced = false;
  #repeated: readonly RepeatedStep[] = [];
  shuttingDown = false;
  /** resolves when a shutdown is over and its caller has its answer */
  readonly ended: Promise<void>;
  #end = (): void => undefined;

  private constructor(equipment: Equipment, directory: HeldDirectory, core: (control: DaemonControl) => CoreServices) {
    this.#equipment = equipment;
    this.#directory = directory;
    this.#core = core(this);
    this.ended = new Promise(resolve => (this.#end = resolve));
  }

  /** Resolves when the API answers. */
  static async start(options: DaemonOptions, equipment: Equipment): Promise<Daemon> {
    const { paths } = options;
    const events = new LocalEventBus();
    const file = options.logFile;
    const log = createLog(logSink({ ...(file !== undefined && { file }), level: options.logLevel, events }));
    const directory = await holdStateDirectory(paths);
    await makeFolders(paths);
    const [database, localDatabase, identity, authority] = await Promise.all([
      SqliteDatabase.open({ file: paths.globalDatabase, migrations: globalMigrations }),
      SqliteDatabase.open({ file: paths.localDatabase, migrations: [localSchema], readers: 1 }),
      loadIdentity(paths),
      loadAuthority(paths),
    ]);
    await applyPatches(paths, { global: database, local: localDatabase });
    const settings = new ServerSettings({ database, localDatabase });
    const trust = new TrustStore(database);
    await Promise.all([settings.load(), trust.load()]);
    const daemon = new Daemon(equipment, directory, control => ({
      database,
      localDatabase,
      events,
      operations: new LocalOperations({ events, log }),
      locks: new KeyedLock(),
      paths,
      settings,
      identity,
      administration: { trust, settings, authority },
      control,
      log,
    }));
    await daemon.#listen(options.socketGid);
    return daemon;
  }

  get log(): Log {
    return this.#core.log;
  }

  get addresses(): readonly string[] {
    return this.#listeners?.addresses ?? [];
  }

  recovered(): Promise<void> {
    return this.#recovered;
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  async applyListeners(addresses: ListenAddresses): Promise<void> {
    await this.#listeners?.openHttps(addresses);
    await this.#zones?.open(addresses.dns);
  }

  shutdown(options: StopOptions): Promise<void> {
    this.shuttingDown = true;
    this.#forced = options.force;
    this.#shutdown ??= this.#stopAll(options);
    return this.#shutdown;
  }

  /** Ends the daemon; containers keep running. Resolves when the process may exit. */
  stop(): Promise<void> {
    this.shuttingDown = true;
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  async #listen(gid: number): Promise<void> {
    const services: Services = { ...this.#core, ...(await this.#equipment.build(this.#core)) };
    this.#services = services;
    this.#zones = new ZoneServer(services);
    const { trust, authority } = services.administration;
    const trustsAuthority = (): boolean => services.settings.get('core.trust_ca_certificates') === 'true';
    const { peerUid } = this.#equipment;
    const parts = {
      services,
      routes,
      upgrades: upgradeRoutes,
      authenticate: (request: Parameters<typeof authenticate>[0]) =>
        authenticate(request, { trust, authority, trustsAuthority, peerUid }),
    };
    const app = await buildApp(parts);
    this.#listeners = new Listeners({ app, upgrade: upgradeHandler(parts), identity: services.identity });
    await this.#listeners.openUnix(services.paths.socket, gid);
    this.#recovered = this.#runAll(services, this.#equipment.recoverySteps);
    this.#ready = this.#bringUp(services);
  }

  async #bringUp(services: Services): Promise<void> {
    await this.#step('opening core.https_address', () =>
      this.applyListeners(listenAddresses(services.settings.visible)),
    );
    // even when the one before failed
    await this.#step('opening core.dns_address', async () =>
      this.#zones?.open(listenAddresses(services.settings.visible).dns),
    );
    await this.#recovered;
    await this.#runAll(services, this.#equipment.startSteps);
    if (this.shuttingDown) return;
    const { log } = this;
    this.#repeated = (this.#equipment.minuteSteps ?? []).map(
      ({ what, run }) => new RepeatedStep({ what, run: () => run(services), everyMs: roundMs, log }),
    );
    log.info('The daemon is ready');
  }

  async #runAll(services: Services, steps: readonly StartStep[]): Promise<void> {
    for (const { what, run } of steps) await this.#step(what, () => run(services));
  }

  async #step(what: string, run: () => Promise<void>): Promise<void> {
    if (this.shuttingDown) return;
    try {
      await run();
    } catch (error) {
      this.log.error(`Failed ${what}`, { error });
    }
  }

  async #stopAll(options: StopOptions): Promise<void> {
    await this.#ready;
    const minutes = Number(this.#core.settings.get('core.shutdown_timeout'));
    if (!options.force) await this.#core.operations.settled(minutes * minuteMs);
    if (this.#services) await this.#equipment.stopAll(this.#services, options);
    setTimeout(this.#end, answerMs);
  }

  async #close(): Promise<void> {
    const deadline = setTimeout(() => {
      this.log.warning('Ended before all work did');
      process.exit(0);
    }, stopDeadlineMs);
    await Promise.all(this.#repeated.map(step => step.close()));
    await this.#core.operations.close();
    await this.#listeners?.close();
    await this.#zones?.close();
    await this.#services?.runtime.close();
    // Stopping leaves pools mounted for the containers that go on; after a shutdown none does.
    await this.#services?.pools.close({ unmount: this.#shutdown !== undefined && !this.#forced });
    await Promise.all([this.#core.database.close(), this.#core.localDatabase.close()]);
    await this.#directory.release();
    clearTimeout(deadline);
  }
}
