import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { LifecycleMetadata } from '#api/event.ts';
import { KeyedLock } from '#base/keyed-lock.ts';
import { silentLog } from '#base/log.ts';
import type { NicAttachment } from '#network/driver.ts';
import { globalMigrations } from '#server/database/migrations/global.ts';
import { SqliteDatabase } from '#server/database/sqlite.ts';
import { LocalEventBus } from '#server/events/bus.ts';
import type { ContainerSpec, ContainerStatus, ResourceLimits, StoppedEvent } from '#server/runtime/runtime.ts';
import { FakeCheckpoints } from '#server/runtime/testing/fake-checkpoints.ts';
import { StatePaths } from '#server/paths.ts';
import { Pool } from '#storage/pool.ts';
import { MemoryDriver } from '#storage/testing/memory-driver.ts';
import type { InstanceServices } from '../instance-services.ts';

/** Containers in memory, and what was asked of them. */
export class ContainersInMemory {
  readonly states = new Map<string, ContainerStatus>();
  readonly specs = new Map<string, ContainerSpec>();
  readonly calls: string[] = [];
  limits: ResourceLimits | undefined;
  /** names of methods that fail */
  readonly failing = new Set<string>();
  /** init ignores the wish to power off */
  deaf = false;
  readonly checkpoints = new FakeCheckpoints({ specOf: id => this.specs.get(id), end: id => this.end(id) });
  #listener: (event: StoppedEvent) => void = () => undefined;

  #call(what: string, detail: string): void {
    this.calls.push(`${what} ${detail}`);
    if (this.failing.has(what)) throw new ApiError('internal', `${what} failed`);
  }

  adopt = async (): Promise<readonly string[]> => [...this.states.keys()];
  start = async (spec: ContainerSpec): Promise<{ initPid: number }> => {
    this.#call('start', spec.id);
    this.checkpoints.assertState(spec);
    this.specs.set(spec.id, spec);
    this.states.set(spec.id, 'running');
    return { initPid: 100 };
  };
  shutdown = async (id: string): Promise<void> => {
    this.#call('shutdown', id);
    if (this.deaf) throw new ApiError('busy', 'still running');
    this.end(id);
  };
  kill = async (id: string): Promise<void> => {
    this.#call('kill', id);
    this.end(id);
  };
  freeze = async (id: string): Promise<void> => void this.states.set(id, 'frozen');
  unfreeze = async (id: string): Promise<void> => void this.states.set(id, 'running');
  status = (id: string): ContainerStatus => this.states.get(id) ?? 'stopped';
  initPid = (id: string): number | undefined => (this.states.has(id) ? 100 : undefined);
  containerOf = (): undefined => undefined;
  usage = (): undefined => undefined;
  links = (): readonly [] => [];
  setLimits = async (id: string, limits: ResourceLimits): Promise<void> => {
    this.#call('setLimits', id);
    this.limits = limits;
  };
  attachNic = async (id: string, nic: { name: string }): Promise<void> => this.#call('attachNic', `${id} ${nic.name}`);
  detachNic = async (id: string): Promise<void> => this.#call('detachNic', id);
  attachMount = async (id: string, mount: { target: string }): Promise<void> =>
    this.#call('attachMount', `${id} ${mount.target}`);
  detachMount = async (id: string, target: string): Promise<void> => this.#call('detachMount', `${id} ${target}`);
  rename = async (id: string, newId: string): Promise<void> => this.#call('rename', `${id} ${newId}`);
  forget = async (id: string): Promise<void> => this.#call('forget', id);
  onStopped = (listener: (event: StoppedEvent) => void): void => void (this.#listener = listener);

  /** The container ends, by itself or on request. */
  end(id: string, reboot = false): void {
    if (this.states.delete(id)) this.#listener({ id, reboot });
  }
}

export interface TestServices extends AsyncDisposable {
  readonly services: InstanceServices & { readonly events: LocalEventBus };
  readonly runtime: ContainersInMemory;
  readonly pool: Pool;
  readonly driver: MemoryDriver;
  /** NICs on the network "lxdbr0", as INSTANCE/DEVICE */
  readonly attached: Set<string>;
  readonly told: string[];
}

/** A database with pool "tank", network "lxdbr0" and a default profile that uses both; everything else in memory. */
export async function testServices(): Promise<TestServices> {
  const root = await mkdtemp('/tmp/instances-test-');
  const database = await SqliteDatabase.open({ file: path.join(root, 'db.bin'), migrations: globalMigrations });
  const driver = new MemoryDriver(path.join(root, 'storage-pools', 'tank'));
  await driver.createPool();
  const locks = new KeyedLock();
  const pool = new Pool('tank', driver, locks, silentLog);
  const events = new LocalEventBus();
  const told: string[] = [];
  events.subscribe({ types: ['lifecycle'] }, event => told.push((event.metadata as LifecycleMetadata).action));
  const runtime = new ContainersInMemory();
  const attached = new Set<string>();
  const network = {
    attach: async (nic: NicAttachment) => {
      attached.add(`${nic.instance}/${nic.device}`);
      return { bridge: 'lxdbr0' };
    },
    joined: async () => undefined,
    detach: async (nic: Pick<NicAttachment, 'instance' | 'device'>) =>
      void attached.delete(`${nic.instance}/${nic.device}`),
  };
  const services = {
    database,
    events,
    locks,
    runtime,
    log: silentLog,
    paths: new StatePaths(root),
    pools: { get: (name: string) => must(name === 'tank' ? pool : undefined, name), list: () => [pool] },
    networks: { find: (name: string) => (name === 'lxdbr0' ? network : undefined), get: () => network },
    control: { shuttingDown: false, recovered: () => Promise.resolve() },
  } as unknown as TestServices['services'];
  await fill(database);
  const dispose = async (): Promise<void> => {
    await database.close();
    await rm(root, { recursive: true, force: true });
  };
  return { services, runtime, pool, driver, attached, told, [Symbol.asyncDispose]: dispose };
}

function must<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new ApiError('not-found', `"${name}" not found`);
  return value;
}

/** An image "tiny" whose volume is in the pool already, with a template for the host name. */
export async function addImage({ services, pool }: TestServices, fingerprint: string): Promise<void> {
  await services.database.write(async tx => {
    await tx.run(
      `INSERT INTO images (project_id, fingerprint, filename, size, architecture, creation_date, expiry_date, upload_date,
       last_use_date, ready) VALUES (1, ?, 'tiny.tar', 1, 'x86_64', '', '', '', '', 1)`,
      [fingerprint],
    );
    await tx.run("INSERT INTO images_properties (image_id, key, value) VALUES (1, 'os', 'busybox')");
  });
  await pool.ensureImage(fingerprint, async folder => {
    await mkdir(path.join(folder, 'rootfs'));
    await mkdir(path.join(folder, 'templates'));
    await writeFile(path.join(folder, 'templates', 'name.tpl'), '{{ container.name }}');
    const template = { when: ['create', 'copy'], template: 'name.tpl' };
    const metadata = { architecture: 'x86_64', creation_date: 1, templates: { '/name': template } };
    await writeFile(path.join(folder, 'metadata.yaml'), JSON.stringify(metadata));
  });
}

async function fill(database: SqliteDatabase): Promise<void> {
  await database.write(async tx => {
    await tx.run("INSERT INTO storage_pools (name, driver, ready) VALUES ('tank', 'memory', 1)");
    await tx.run("INSERT INTO networks (project_id, name, type, ready) VALUES (1, 'lxdbr0', 'bridge', 1)");
    await tx.run("INSERT INTO networks_config (network_id, key, value) VALUES (1, 'ipv4.address', '10.1.1.1/24')");
    for (const [name, options] of [
      ['root', { type: 'disk', path: '/', pool: 'tank' }],
      ['eth0', { type: 'nic', network: 'lxdbr0', name: 'eth0' }],
    ] as const) {
      const { lastId } = await tx.run('INSERT INTO profiles_devices (profile_id, name) VALUES (1, ?)', [name]);
      for (const [key, value] of Object.entries(options))
        await tx.run('INSERT INTO profiles_devices_config (profile_device_id, key, value) VALUES (?, ?, ?)', [
          lastId,
          key,
          value,
        ]);
    }
  });
}
