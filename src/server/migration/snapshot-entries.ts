import { type ConfigMap, zeroTime } from '#api/common.ts';
import type { NewSnapshot, SnapshotRecord } from '#server/database/snapshots.ts';
import type { SnapshotEntry } from '#protocol/messages.ts';

/** LXD's numbers of architectures. */
const architectures: Readonly<Record<string, number>> = {
  i686: 1,
  x86_64: 2,
  armv7l: 3,
  aarch64: 4,
  ppc: 5,
  ppc64: 6,
  ppc64le: 7,
  s390x: 8,
  mips: 9,
  mips64: 10,
  riscv32: 11,
  riscv64: 12,
};

/** Volatile keys that every server knows; LXD refuses a snapshot with others. */
const commonVolatile =
  /^volatile\.(base_image|uuid|cloud-init\.instance-id|idmap\.(base|current|next)|last_state\.(idmap|power)|[^.]+\.(hwaddr|name))$/;

/** Config without what only this server understands. */
export function portableConfig(config: ConfigMap): ConfigMap {
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => !key.startsWith('volatile.') || commonVolatile.test(key)),
  );
}

/** A snapshot as it is told to another server. */
export function entryOf(snapshot: SnapshotRecord): SnapshotEntry {
  const { name, config, profiles, ephemeral, devices, stateful } = snapshot;
  return {
    name,
    config: portableConfig(config),
    profiles,
    ephemeral,
    devices,
    architecture: architectures[snapshot.architecture] ?? 0,
    stateful,
    createdAt: secondsOf(snapshot.createdAt),
    lastUsedAt: secondsOf(snapshot.lastUsedAt),
    expiresAt: secondsOf(snapshot.expiresAt),
  };
}

/** A snapshot as another server told of it. Its config is checked when it is restored. */
export function snapshotOf(entry: SnapshotEntry): Omit<NewSnapshot, 'instanceId'> {
  const { name, config, profiles, ephemeral, devices } = entry;
  const [architecture = 'x86_64'] =
    Object.entries(architectures).find(([, number]) => number === entry.architecture) ?? [];
  return {
    name,
    config,
    profiles,
    ephemeral,
    devices,
    architecture,
    stateful: false,
    description: '',
    createdAt: timeOf(entry.createdAt),
    lastUsedAt: timeOf(entry.lastUsedAt),
    expiresAt: timeOf(entry.expiresAt),
    ready: true,
  };
}

export function secondsOf(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}

const lastSecond = 253_402_300_799; // the end of the year 9999

export function timeOf(seconds: number): string {
  return seconds > 0 && seconds <= lastSecond ? new Date(seconds * 1000).toISOString() : zeroTime;
}
