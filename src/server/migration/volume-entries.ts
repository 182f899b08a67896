import type { VolumeRecord } from '#server/database/storage-volumes.ts';
import type { NewVolumeSnapshot, VolumeSnapshotRecord } from '#server/database/volume-snapshots.ts';
import type { BackupConfig } from '../backup-config/backup-config.ts';
import { checkedConfig } from '../volumes/volume-config.ts';
import type { SnapshotEntry } from '#protocol/messages.ts';
import { secondsOf, timeOf } from './snapshot-entries.ts';

/** A volume's snapshot as it is told to another server. */
export function volumeEntryOf({ name, config, createdAt, expiresAt }: VolumeSnapshotRecord): SnapshotEntry {
  return {
    name,
    config: usersConfig(config),
    profiles: [],
    ephemeral: false,
    devices: {},
    architecture: 0,
    stateful: false,
    createdAt: secondsOf(createdAt),
    lastUsedAt: 0,
    expiresAt: secondsOf(expiresAt),
  };
}

/** A volume's snapshot as another server told of it; one that does not say when it was made was made now. */
export function volumeSnapshotOf(volume: string, entry: SnapshotEntry): Omit<NewVolumeSnapshot, 'volumeId'> {
  return {
    name: entry.name,
    description: '',
    config: checkedConfig(volume, usersConfig(entry.config)),
    createdAt: entry.createdAt > 0 ? timeOf(entry.createdAt) : new Date().toISOString(),
    expiresAt: timeOf(entry.expiresAt),
    ready: true,
  };
}

/** What LXD is told of a volume before its files come. */
export function describeVolume(record: VolumeRecord, snapshots: readonly VolumeSnapshotRecord[]): BackupConfig {
  const { name, description, project, createdAt } = record;
  return {
    volume: {
      name,
      description,
      type: 'custom',
      content_type: 'filesystem',
      config: usersConfig(record.config),
      project,
      location: 'none',
      used_by: [],
      created_at: createdAt,
    },
    volume_snapshots: snapshots.map(snapshot => ({
      name: snapshot.name,
      description: snapshot.description,
      content_type: 'filesystem',
      config: usersConfig(snapshot.config),
      created_at: snapshot.createdAt,
      expires_at: snapshot.expiresAt,
    })),
  };
}

/** Volatile keys are this server's own. */
function usersConfig<T extends Readonly<Record<string, string>>>(config: T): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('volatile.')));
}
