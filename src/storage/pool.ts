import type { HeldLock, KeyedLock } from '#base/keyed-lock.ts';
import type { Log } from '#base/log.ts';
import { Revert } from '#base/revert.ts';
import { copyTree } from './copy-tree.ts';
import type { FillVolume, PoolUsage, RefillVolume, Snapshot, StorageDriver, Usage, Volume } from './driver.ts';
import { isSnapshot, volumeOf } from './layout.ts';
import { volumeKey, VolumeUsers } from './volume-users.ts';

export type { FillVolume, RefillVolume, Snapshot, Usage, Volume };

/** Prefix of image volumes that are being filled; fingerprints are hexadecimal, so none looks like that. */
const filling = 'filling-';

/** Snapshot that holds new content until it replaces the old; users' names have no white space. */
const refreshedHead = 'refreshed head';

/**
 * A pool that is in use: a driver's verbs with a lock per volume, mount counts, and image volumes that are unpacked
 * once and then cloned. Errors are those of the driver; what is mounted cannot be deleted, renamed or restored
 * ("busy").
 */
export class Pool {
  readonly name: string;
  readonly driver: StorageDriver;
  readonly #locks: KeyedLock;
  readonly #log: Log;
  readonly users = new VolumeUsers();
  /** clones under way by fingerprint: their image stays until they are done */
  readonly #clones = new Map<string, Set<Promise<void>>>();

  constructor(name: string, driver: StorageDriver, locks: KeyedLock, log: Log) {
    this.name = name;
    this.driver = driver;
    this.#locks = locks;
    this.#log = log;
  }

  /** True when volumes can be mounted with shifted ids, so that ids on disk are the guest's own. */
  get supportsIdmap(): boolean {
    return this.driver.supportsIdmappedMounts();
  }

  /** Mounts the pool and removes what an interrupted process left. May be called twice. */
  async mount(): Promise<void> {
    await this.driver.mountPool();
    for (const volume of await this.driver.listVolumes()) {
      if (volume.kind === 'image' && volume.name.startsWith(filling)) await this.driver.deleteVolume(volume);
    }
  }

  /** Waits for deletions that go on after their method has answered. */
  async settle(): Promise<void> {
    await this.driver.settle();
  }

  /** Settles and unmounts. */
  async unmount(): Promise<void> {
    await this.driver.unmountPool();
  }

  usage(): Promise<PoolUsage> {
    return this.driver.poolUsage();
  }

  // ---- volumes ----

  async createVolume(volume: Volume): Promise<void> {
    using _lock = await this.#hold(volume, 'create');
    await this.driver.createVolume(volume);
  }

  /**
   * Makes `target` with the content of `source`, which may lie in another pool. With `snapshots`, names of snapshots of
   * the source volume, oldest first, these are copied as well. Undone as a whole when a step fails.
   */
  async copyVolume(
    source: { readonly pool: Pool; readonly content: Volume | Snapshot },
    target: Volume,
    options: { readonly snapshots?: readonly string[]; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const origin = volumeOf(source.content);
    using _locks = await holdBoth([source.pool, origin], [this, target], 'copy');
    await using revert = new Revert(this.#log);
    options.signal?.throwIfAborted();
    await this.#cloneOrFill(source, target, options.signal);
    revert.add('copying the volume', () => this.driver.deleteVolume(target));
    for (const name of options.snapshots ?? []) {
      options.signal?.throwIfAborted();
      const snapshot = { volume: target, name };
      await this.#copySnapshot({ pool: source.pool, snapshot: { volume: origin, name } }, snapshot, options.signal);
    }
    revert.commit();
  }

  /**
   * Brings `target` in line with another volume: deletes its snapshots `gone`, copies `missing` ones, oldest first, then
   * replaces its content. The old content stays until the new one is whole.
   */
  async refreshVolume(
    source: { readonly pool: Pool; readonly content: Volume | Snapshot },
    target: Volume,
    options: { readonly gone: readonly string[]; readonly missing: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<void> {
    const { gone, missing, signal } = options;
    const origin = volumeOf(source.content);
    using _locks = await holdBoth([source.pool, origin], [this, target], 'refresh');
    await this.users.vacate(target, 'refresh');
    for (const name of gone) await this.driver.deleteSnapshot({ volume: target, name });
    for (const name of missing) {
      signal?.throwIfAborted();
      const from = { pool: source.pool, snapshot: { volume: origin, name } };
      await this.#copySnapshot(from, { volume: target, name }, signal);
    }
    const head = { volume: target, name: refreshedHead };
    await this.driver.deleteSnapshot(head);
    await this.#snapshotOther(source, head, signal);
    await this.driver.restoreSnapshot(head);
    await this.driver.deleteSnapshot(head);
  }

  /** Removes what a refresh that was interrupted has left of a volume, its target or its source. */
  async cleanRefresh(volume: Volume): Promise<void> {
    using _lock = await this.#hold(volume, 'clean up');
    if (await this.driver.hasVolume(volume)) await this.driver.deleteSnapshot({ volume, name: refreshedHead });
  }

  /** Makes `target` with the content of a volume or snapshot of this pool. */
  cloneVolume(source: Volume | Snapshot, target: Volume): Promise<void> {
    return this.copyVolume({ pool: this, content: source }, target);
  }

  async deleteVolume(volume: Volume): Promise<void> {
    using _lock = await this.#hold(volume, 'delete');
    await this.users.vacate(volume, 'delete');
    await this.driver.deleteVolume(volume);
  }

  async renameVolume(volume: Volume, newName: string): Promise<void> {
    using _locks = await holdBoth([this, volume], [this, { ...volume, name: newName }], 'rename');
    await this.users.vacate(volume, 'rename');
    await this.driver.renameVolume(volume, newName);
  }

  listVolumes(): Promise<readonly Volume[]> {
    return this.driver.listVolumes();
  }

  hasVolume(volume: Volume): Promise<boolean> {
    return this.driver.hasVolume(volume);
  }

  /** Returns the absolute path of the volume's top folder. Each call is matched by one of unmountVolume. */
  async mountVolume(volume: Volume): Promise<string> {
    using _lock = await this.#hold(volume, 'mount');
    const folder = await this.driver.mountVolume(volume);
    this.users.countMount(volume, 1);
    return folder;
  }

  /** Succeeds when the volume is not mounted. */
  async unmountVolume(volume: Volume): Promise<void> {
    using _lock = await this.#hold(volume, 'unmount');
    if (this.users.countMount(volume, -1) === 0) await this.driver.unmountVolume(volume);
  }

  /** Mounts a volume or snapshot for as long as `work` runs. */
  async withMounted<T>(source: Volume | Snapshot, work: (folder: string) => Promise<T>): Promise<T> {
    if (isSnapshot(source)) return await this.#reading(source, work);
    const folder = await this.mountVolume(source);
    try {
      return await work(folder);
    } finally {
      await this.unmountVolume(source);
    }
  }

  /** Limits the bytes that a volume refers to; undefined lifts the limit. "unsupported" where the driver cannot. */
  async setQuota(volume: Volume, bytes: number | undefined): Promise<void> {
    using _lock = await this.#hold(volume, 'set quota');
    await this.driver.setQuota(volume, bytes);
  }

  /** Undefined where knowing it would mean walking the volume. */
  volumeUsage(volume: Volume): Promise<Usage | undefined> {
    return this.driver.volumeUsage(volume);
  }

  // ---- snapshots ----

  async createSnapshot(snapshot: Snapshot): Promise<void> {
    using _lock = await this.#hold(snapshot.volume, 'snapshot');
    await this.driver.createSnapshot(snapshot);
  }

  /** Makes a snapshot with the content that `fill` puts into an empty folder. */
  async fillSnapshot(snapshot: Snapshot, fill: FillVolume): Promise<void> {
    using _lock = await this.#hold(snapshot.volume, 'fill snapshot');
    await this.driver.fillSnapshot(snapshot, fill);
  }

  async deleteSnapshot(snapshot: Snapshot): Promise<void> {
    using _lock = await this.#hold(snapshot.volume, 'delete snapshot');
    await this.users.sendReadersAway(snapshot);
    await this.driver.deleteSnapshot(snapshot);
  }

  async renameSnapshot(snapshot: Snapshot, newName: string): Promise<void> {
    using _lock = await this.#hold(snapshot.volume, 'rename snapshot');
    await this.users.sendReadersAway(snapshot);
    await this.driver.renameSnapshot(snapshot, newName);
  }

  async restoreSnapshot(snapshot: Snapshot): Promise<void> {
    using _lock = await this.#hold(snapshot.volume, 'restore snapshot');
    await this.users.vacate(snapshot.volume, 'restore');
    await this.driver.restoreSnapshot(snapshot);
  }

  /**
   * Puts what `fill` makes of a copy in the volume's place, with the snapshots that it keeps: until `fill` is done nothing
   * changes, and nothing at all when it fails.
   */
  async refillVolume(volume: Volume, fill: RefillVolume): Promise<void> {
    using _lock = await this.#hold(volume, 'refill');
    await this.users.vacate(volume, 'refill');
    await this.driver.refillVolume(volume, fill);
  }

  /** Mounts a snapshot for a reader whom `leave` makes let go of it. Each call is matched by one of unmountSnapshot. */
  async mountSnapshot(snapshot: Snapshot, leave: () => Promise<void>): Promise<string> {
    using _lock = await this.#hold(snapshot.volume, 'mount');
    const folder = await this.driver.mountSnapshot(snapshot);
    this.users.addReader(snapshot, leave);
    return folder;
  }

  unmountSnapshot(snapshot: Snapshot): Promise<void> {
    return this.driver.unmountSnapshot(snapshot);
  }

  /** Oldest first. */
  listSnapshots(volume: Volume): Promise<readonly string[]> {
    return this.driver.listSnapshots(volume);
  }

  // ---- images ----

  /** Makes `volume` as a clone of an image's volume, which `fill` fills the first time. */
  async createFromImage(volume: Volume, fingerprint: string, fill: FillVolume): Promise<void> {
    const clone = await this.#pinnedClone(volume, fingerprint, fill);
    await clone();
  }

  /** Makes the volume of an image unless it is there: one `fill` however many ask at once. */
  async ensureImage(fingerprint: string, fill: FillVolume): Promise<void> {
    using _lock = await this.#hold(imageVolume(fingerprint), 'fill');
    await this.#fillImage(fingerprint, fill);
  }

  hasImage(fingerprint: string): Promise<boolean> {
    return this.driver.hasVolume(imageVolume(fingerprint));
  }

  /** Deletes the volume of an image, after the clones of it that are under way. Succeeds when it is gone. */
  async deleteImage(fingerprint: string): Promise<void> {
    const image = imageVolume(fingerprint);
    using _lock = await this.#hold(image, 'delete');
    const clones = this.#clones.get(fingerprint);
    if (clones) await Promise.allSettled(clones);
    await this.driver.deleteVolume(image);
  }

  /** Under the image's lock only until the clone is registered, so that instances are cloned side by side. */
  async #pinnedClone(volume: Volume, fingerprint: string, fill: FillVolume): Promise<() => Promise<void>> {
    using _lock = await this.#hold(imageVolume(fingerprint), 'fill');
    await this.#fillImage(fingerprint, fill);
    const cloning = this.#cloneImage(volume, fingerprint);
    const others = this.#clones.get(fingerprint) ?? new Set();
    this.#clones.set(fingerprint, others.add(cloning));
    const unpin = (): void => {
      others.delete(cloning);
      if (others.size === 0) this.#clones.delete(fingerprint);
    };
    void cloning.then(unpin, unpin);
    return () => cloning;
  }

  async #cloneImage(volume: Volume, fingerprint: string): Promise<void> {
    using _lock = await this.#hold(volume, 'create');
    await this.driver.cloneVolume(imageVolume(fingerprint), volume);
  }

  async #fillImage(fingerprint: string, fill: FillVolume): Promise<void> {
    if (await this.driver.hasVolume(imageVolume(fingerprint))) return;
    const half = imageVolume(`${filling}${fingerprint}`);
    await this.driver.deleteVolume(half);
    await using revert = new Revert(this.#log);
    await this.driver.createVolume(half);
    revert.add('filling the image volume', () => this.driver.deleteVolume(half));
    await fill(await this.driver.mountVolume(half));
    await this.driver.unmountVolume(half);
    await this.driver.renameVolume(half, fingerprint);
    revert.commit();
  }

  // ---- steps ----

  async #cloneOrFill(
    source: { readonly pool: Pool; readonly content: Volume | Snapshot },
    target: Volume,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (source.pool === this) return await this.driver.cloneVolume(source.content, target);
    await using revert = new Revert(this.#log);
    await this.driver.createVolume(target);
    revert.add('creating the volume', () => this.driver.deleteVolume(target));
    const folder = await this.driver.mountVolume(target);
    await source.pool.#reading(source.content, from => copyTree(from, folder, signal));
    await this.driver.unmountVolume(target);
    revert.commit();
  }

  /** Makes a snapshot with the content of a volume or snapshot of any pool. */
  async #snapshotOther(
    { pool, content }: { readonly pool: Pool; readonly content: Volume | Snapshot },
    target: Snapshot,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (isSnapshot(content)) return await this.#copySnapshot({ pool, snapshot: content }, target, signal);
    if (pool !== this)
      return await this.driver.fillSnapshot(target, folder =>
        pool.#reading(content, from => copyTree(from, folder, signal)),
      );
    const passing = { volume: content, name: refreshedHead };
    await this.driver.deleteSnapshot(passing);
    await using revert = new Revert(this.#log);
    revert.add('snapshotting the source', () => this.driver.deleteSnapshot(passing));
    await this.driver.createSnapshot(passing);
    await this.driver.cloneSnapshot(passing, target);
  }

  async #copySnapshot(
    source: { readonly pool: Pool; readonly snapshot: Snapshot },
    target: Snapshot,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (source.pool === this) return await this.driver.cloneSnapshot(source.snapshot, target);
    await this.driver.fillSnapshot(target, folder =>
      source.pool.#reading(source.snapshot, from => copyTree(from, folder, signal)),
    );
  }

  async #reading<T>(source: Volume | Snapshot, work: (folder: string) => Promise<T>): Promise<T> {
    const folder = isSnapshot(source) ? await this.driver.mountSnapshot(source) : await this.driver.mountVolume(source);
    try {
      return await work(folder);
    } finally {
      if (isSnapshot(source)) await this.driver.unmountSnapshot(source);
      else if (!this.users.isMounted(source)) await this.driver.unmountVolume(source);
    }
  }

  #hold(volume: Volume, action: string): Promise<HeldLock> {
    return this.#locks.hold(this.lockKey(volume), action);
  }

  /** Key of the volume's lock among the daemon's locks. */
  lockKey(volume: Volume): string {
    return `volume/${this.name}/${volumeKey(volume)}`;
  }

  static async holdAll(volumes: readonly (readonly [Pool, Volume])[], action: string): Promise<HeldLock> {
    const wanted = new Map(volumes.map(([pool, volume]) => [pool.lockKey(volume), { pool, volume }]));
    const held: HeldLock[] = [];
    // One order for everybody: two copies in opposite directions must not wait for each other.
    for (const [, { pool, volume }] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
      held.push(await pool.#hold(volume, action));
    }
    const release = (): void => held.forEach(lock => lock.release());
    return { release, [Symbol.dispose]: release };
  }
}

function holdBoth(one: readonly [Pool, Volume], other: readonly [Pool, Volume], action: string): Promise<HeldLock> {
  return Pool.holdAll([one, other], action);
}

function imageVolume(fingerprint: string): Volume {
  return { kind: 'image', name: fingerprint };
}
