import { cp, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type {
  FillVolume,
  PoolUsage,
  RefillVolume,
  Snapshot,
  StorageDriver,
  Usage,
  Volume,
  VolumeKind,
} from '../driver.ts';
import { missing, taken } from '../errors.ts';
import { checkName, isSnapshot, snapshotFolder, volumeFolders, volumeKinds } from '../layout.ts';

const totalBytes = 2 ** 40;

/** Remembers volumes, snapshots and quotas in memory; only their files lie in a folder, which needs no rights. */
export class MemoryDriver implements StorageDriver {
  readonly name = 'memory';
  readonly #root: string;
  readonly #volumes = new Map<string, { readonly volume: Volume; readonly snapshots: string[]; quota?: number }>();
  #scratch = 0;

  /** `root` is an absolute folder that the test removes */
  constructor(root: string) {
    this.#root = root;
  }

  async createPool(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
  }

  async deletePool(): Promise<void> {
    this.#volumes.clear();
    await rm(this.#root, { recursive: true, force: true });
  }

  async mountPool(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
  }

  async unmountPool(): Promise<void> {}

  async updatePool(): Promise<void> {}

  async settle(): Promise<void> {}

  poolUsage(): Promise<PoolUsage> {
    return Promise.resolve({ used: 0, total: totalBytes, inodesUsed: 0, inodesTotal: 0 });
  }

  async createVolume(volume: Volume): Promise<void> {
    this.#assertFree(volume);
    await mkdir(this.#path(volume), { recursive: true });
    this.#volumes.set(keyOf(volume), { volume, snapshots: [] });
  }

  async cloneVolume(source: Volume | Snapshot, target: Volume): Promise<void> {
    this.#assertFree(target);
    await this.#copy(this.#existing(source), this.#path(target));
    this.#volumes.set(keyOf(target), { volume: target, snapshots: [] });
  }

  async deleteVolume(volume: Volume): Promise<void> {
    const known = this.#volumes.get(keyOf(volume));
    if (!known) return;
    this.#volumes.delete(keyOf(volume));
    for (const name of known.snapshots) await rm(this.#path({ volume, name }), { recursive: true });
    await rm(this.#path(volume), { recursive: true });
  }

  async renameVolume(volume: Volume, newName: string): Promise<void> {
    const target = { ...volume, name: newName };
    const known = this.#entry(volume);
    this.#assertFree(target);
    for (const name of known.snapshots) {
      await mkdir(path.dirname(this.#path({ volume: target, name })), { recursive: true });
      await rename(this.#path({ volume, name }), this.#path({ volume: target, name }));
    }
    await rename(this.#path(volume), this.#path(target));
    this.#volumes.delete(keyOf(volume));
    this.#volumes.set(keyOf(target), { ...known, volume: target });
  }

  listVolumes(): Promise<readonly Volume[]> {
    const volumes = [...this.#volumes.values()].map(entry => entry.volume);
    return Promise.resolve(volumes.sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1)));
  }

  hasVolume(volume: Volume): Promise<boolean> {
    return Promise.resolve(this.#volumes.has(keyOf(volume)));
  }

  mountVolume(volume: Volume): Promise<string> {
    return this.#mount(volume);
  }

  async unmountVolume(): Promise<void> {}

  mountSnapshot(snapshot: Snapshot): Promise<string> {
    return this.#mount(snapshot);
  }

  async unmountSnapshot(): Promise<void> {}

  setQuota(volume: Volume, bytes: number | undefined): Promise<void> {
    const entry = this.#entry(volume);
    if (bytes === undefined) delete entry.quota;
    else entry.quota = bytes;
    return Promise.resolve();
  }

  async volumeUsage(volume: Volume): Promise<Usage | undefined> {
    const { quota } = this.#entry(volume);
    return { used: await sizeOf(this.#path(volume)), total: quota ?? totalBytes };
  }

  supportsIdmappedMounts(): boolean {
    return true;
  }

  createSnapshot(snapshot: Snapshot): Promise<void> {
    return this.fillSnapshot(snapshot, folder => this.#copy(this.#existing(snapshot.volume), folder));
  }

  cloneSnapshot(source: Snapshot, target: Snapshot): Promise<void> {
    return this.fillSnapshot(target, folder => this.#copy(this.#existing(source), folder));
  }

  async fillSnapshot(target: Snapshot, fill: FillVolume): Promise<void> {
    const entry = this.#entry(target.volume);
    if (entry.snapshots.includes(target.name)) throw taken(target);
    const folder = this.#path(target);
    await mkdir(folder, { recursive: true });
    try {
      await fill(folder);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
    entry.snapshots.push(target.name);
  }

  async deleteSnapshot(snapshot: Snapshot): Promise<void> {
    const snapshots = this.#volumes.get(keyOf(snapshot.volume))?.snapshots;
    const index = snapshots?.indexOf(snapshot.name) ?? -1;
    if (index < 0) return;
    snapshots?.splice(index, 1);
    await rm(this.#path(snapshot), { recursive: true });
  }

  async renameSnapshot(snapshot: Snapshot, newName: string): Promise<void> {
    const from = this.#existing(snapshot);
    const { snapshots } = this.#entry(snapshot.volume);
    const target = { ...snapshot, name: newName };
    if (snapshots.includes(newName)) throw taken(target);
    await rename(from, this.#path(target));
    snapshots[snapshots.indexOf(snapshot.name)] = newName;
  }

  async restoreSnapshot(snapshot: Snapshot): Promise<void> {
    const from = this.#existing(snapshot);
    const folder = this.#path(snapshot.volume);
    this.#scratch += 1;
    const old = path.join(this.#root, `old-${String(this.#scratch)}`);
    await rename(folder, old);
    await this.#copy(from, folder);
    await rm(old, { recursive: true });
  }

  async refillVolume(volume: Volume, fill: RefillVolume): Promise<void> {
    const { snapshots } = this.#entry(volume);
    this.#scratch += 1;
    const aside = path.join(this.#root, `refill-${String(this.#scratch)}`);
    const kept: string[] = [];
    try {
      await this.#copy(this.#path(volume), path.join(aside, 'head'));
      await fill(path.join(aside, 'head'), async name => {
        await this.#copy(path.join(aside, 'head'), path.join(aside, checkName(`snapshot-${name}`)));
        kept.push(name);
      });
    } catch (error) {
      await rm(aside, { recursive: true });
      throw error;
    }
    for (const name of kept) {
      await this.deleteSnapshot({ volume, name });
      await mkdir(path.dirname(this.#path({ volume, name })), { recursive: true });
      await rename(path.join(aside, `snapshot-${name}`), this.#path({ volume, name }));
      snapshots.push(name);
    }
    await rm(this.#path(volume), { recursive: true });
    await rename(path.join(aside, 'head'), this.#path(volume));
    await rm(aside, { recursive: true });
  }

  async listSnapshots(volume: Volume): Promise<readonly string[]> {
    return [...this.#entry(volume).snapshots];
  }

  #entry(volume: Volume): { readonly volume: Volume; readonly snapshots: string[]; quota?: number } {
    const entry = this.#volumes.get(keyOf(volume));
    if (!entry) throw missing(volume);
    return entry;
  }

  #existing(source: Volume | Snapshot): string {
    const entry = this.#entry(isSnapshot(source) ? source.volume : source);
    if (isSnapshot(source) && !entry.snapshots.includes(source.name)) throw missing(source);
    return this.#path(source);
  }

  #assertFree(volume: Volume): void {
    checkName(volume.name);
    if (this.#volumes.has(keyOf(volume))) throw taken(volume);
  }

  #path(source: Volume | Snapshot): string {
    if (!isSnapshot(source)) return path.join(this.#root, volumeFolders[source.kind], checkName(source.name));
    const { kind, name } = source.volume;
    return path.join(this.#root, snapshotFolder(kind), checkName(name), checkName(source.name));
  }

  async #mount(source: Volume | Snapshot): Promise<string> {
    const folder = this.#existing(source);
    if (!(await lstat(folder)).isDirectory()) {
      throw new ApiError('failed-precondition', `Cannot use "${folder}": it is not a folder`);
    }
    return folder;
  }

  async #copy(from: string, to: string): Promise<void> {
    await cp(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  }
}

function keyOf(volume: Volume): string {
  return `${volume.kind}/${volume.name}`;
}

function order(volume: Volume): number {
  const kinds: readonly VolumeKind[] = volumeKinds;
  return kinds.indexOf(volume.kind);
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(path.join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
