import { ApiError } from '#api/error.ts';
import type { Snapshot, Volume } from './driver.ts';
import { describeSource, isSnapshot, volumeOf } from './layout.ts';

/**
 * Who uses the volumes of a pool: mounts, which stand in the way of changes, and readers of snapshots, who may stay
 * between their visits and leave when asked to.
 */
export class VolumeUsers {
  readonly #mounts = new Map<string, number>();
  /** by volume and snapshot: how its readers are asked to leave */
  readonly #readers = new Map<string, Map<string, () => Promise<void>>>();

  isMounted(volume: Volume): boolean {
    return this.#mounts.has(volumeKey(volume));
  }

  /** Counts a mount, or with -1 its end; gives those that are left. */
  countMount(volume: Volume, change: 1 | -1): number {
    const key = volumeKey(volume);
    const mounts = Math.max(0, (this.#mounts.get(key) ?? 0) + change);
    if (mounts === 0) this.#mounts.delete(key);
    else this.#mounts.set(key, mounts);
    return mounts;
  }

  /** Notes a reader of a snapshot, or with no name of the volume itself; `leave` makes it let go and succeeds when it has done so already. */
  addReader({ volume, name }: Snapshot, leave: () => Promise<void>): void {
    const key = volumeKey(volume);
    this.#readers.set(key, (this.#readers.get(key) ?? new Map<string, () => Promise<void>>()).set(name, leave));
  }

  /** Makes the readers of a snapshot, or of all of a volume, leave. */
  async sendReadersAway(source: Volume | Snapshot): Promise<void> {
    const key = volumeKey(volumeOf(source));
    const readers = this.#readers.get(key);
    for (const [name, leave] of readers ?? []) {
      if (isSnapshot(source) && source.name !== name) continue;
      readers?.delete(name);
      await leave();
    }
    if (readers?.size === 0) this.#readers.delete(key);
  }

  /** Throws "busy" while the volume is mounted; else its snapshots have no readers afterwards. */
  async vacate(volume: Volume, action: string): Promise<void> {
    if (this.isMounted(volume))
      throw new ApiError('busy', `Cannot ${action} ${describeSource(volume).toLowerCase()} while it is mounted`);
    await this.sendReadersAway(volume);
  }
}

export function volumeKey(volume: Volume): string {
  return `${volume.kind}/${volume.name}`;
}
