import type { InstanceBackup } from '#api/backup.ts';
import type { Instance, InstanceSnapshot } from '#api/instance.ts';
import { statusCodes } from '#api/operation.ts';
import type { BackupRecord } from '#server/database/backups.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import type { SnapshotRecord } from '#server/database/snapshots.ts';
import { containerId } from '../paths.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import type { InstanceServices } from './instance-services.ts';
import { lockKey, statusOf } from './status.ts';

type Uses = Pick<InstanceServices, 'runtime' | 'locks'>;

/** An instance as the API shows it. */
export function viewInstance(services: Uses, record: InstanceRecord, expanded: Expanded): Instance {
  const { project, name } = record;
  const status = statusOf(
    record.ready,
    services.locks.holder(lockKey(project, name)),
    services.runtime.status(containerId(project, name)),
  );
  return {
    architecture: record.architecture,
    config: record.config,
    devices: record.devices,
    ephemeral: record.ephemeral,
    profiles: record.profiles,
    stateful: record.stateful,
    description: record.description,
    created_at: record.createdAt,
    expanded_config: expanded.config,
    expanded_devices: expanded.devices,
    name,
    status,
    status_code: statusCodes[status],
    last_used_at: record.lastUsedAt,
    location: 'none',
    type: 'container',
    project,
  };
}

/** A snapshot as the API shows it; `size` in bytes, -1 when it is not known. */
export function viewSnapshot(record: SnapshotRecord, expanded: Expanded): InstanceSnapshot {
  return {
    architecture: record.architecture,
    config: record.config,
    created_at: record.createdAt,
    devices: record.devices,
    ephemeral: record.ephemeral,
    expanded_config: expanded.config,
    expanded_devices: expanded.devices,
    expires_at: record.expiresAt,
    last_used_at: record.lastUsedAt,
    name: record.name,
    profiles: record.profiles,
    stateful: record.stateful,
    size: -1,
  };
}

/** A backup as the API shows it. */
export function viewBackup(backup: BackupRecord): InstanceBackup {
  const { name, createdAt, expiresAt, only, optimized } = backup;
  return {
    name,
    created_at: createdAt,
    expires_at: expiresAt,
    instance_only: only,
    container_only: only,
    optimized_storage: optimized,
  };
}
