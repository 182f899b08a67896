import type { InstanceRecord } from '#server/database/instances.ts';
import type { SnapshotRecord } from '#server/database/snapshots.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import { portableConfig } from './snapshot-entries.ts';

/** What LXD is told of an instance before its files come: the structure that it keeps in backups too. */
export function describeInstance(
  record: InstanceRecord,
  expanded: Pick<Expanded, 'config' | 'devices'>,
  snapshots: readonly SnapshotRecord[],
): unknown {
  const common = ({
    architecture,
    config,
    devices,
    ephemeral,
    profiles,
    stateful,
  }: InstanceRecord | SnapshotRecord): object => ({
    architecture,
    config: portableConfig(config),
    devices,
    ephemeral,
    profiles,
    stateful,
  });
  const volume = { name: record.name, type: 'container', content_type: 'filesystem', config: {}, description: '' };
  return {
    container: {
      ...common(record),
      name: record.name,
      description: record.description,
      created_at: record.createdAt,
      last_used_at: record.lastUsedAt,
      expanded_config: expanded.config,
      expanded_devices: expanded.devices,
      status: 'Stopped',
      status_code: 102,
      location: 'none',
      type: 'container',
      project: record.project,
    },
    snapshots: snapshots.map(snapshot => ({
      ...common(snapshot),
      name: snapshot.name,
      created_at: snapshot.createdAt,
      expires_at: snapshot.expiresAt,
      last_used_at: snapshot.lastUsedAt,
      expanded_config: snapshot.config,
      expanded_devices: snapshot.devices,
      size: -1,
    })),
    volume: { ...volume, location: 'none', used_by: [], project: record.project },
    volume_snapshots: snapshots.map(({ name, expiresAt }) => ({
      name,
      description: '',
      config: {},
      content_type: 'filesystem',
      expires_at: expiresAt,
    })),
  };
}
