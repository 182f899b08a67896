import type { Instance, InstanceSnapshot } from '#api/instance.ts';
import { statusCodes } from '#api/operation.ts';
import type { Profile } from '#api/profile.ts';
import type { StoragePool } from '#api/storage.ts';
import { ApiError } from '#api/error.ts';
import { instanceNameProblem, objectNameProblem, snapshotNameProblem } from '#base/names.ts';
import {
  type ArchivedVolume,
  type ArchivedVolumeSnapshot,
  type BackupConfig,
  type BackupIndex,
  maxBackupConfigBytes,
} from './backup-config.ts';
import { parseStrangersYaml, type YamlObject } from './yaml-reader.ts';

const maxSnapshots = 10_000;

/** Parses a backup.yaml. Every name in it can be used as one path segment; nothing else is judged. */
export function parseBackupConfig(text: string, document = 'backup.yaml'): BackupConfig {
  return readBackupConfig(parseStrangersYaml(text, document, maxBackupConfigBytes), document);
}

/** Parses backup/index.yaml. */
export function parseBackupIndex(text: string): BackupIndex {
  const document = 'backup/index.yaml';
  const root = parseStrangersYaml(text, document, maxBackupConfigBytes);
  const type = root.string('type', 'container');
  if (type !== 'container' && type !== 'custom') {
    const what = type === 'virtual-machine' ? 'virtual machines are not supported' : 'must be "container" or "custom"';
    throw new ApiError('invalid-argument', `Invalid "type" in "${document}": ${what}`);
  }
  const problem = type === 'container' ? instanceNameProblem : objectNameProblem;
  const config = root.object('config');
  return {
    name: named(root.string('name'), problem, document),
    backend: root.string('backend', ''),
    pool: named(root.string('pool'), objectNameProblem, document),
    snapshots: (root.strings('snapshots') ?? []).map(name => named(name, snapshotNameProblem, document)),
    optimized: root.boolean('optimized'),
    optimized_header: root.boolean('optimized_header'),
    type,
    ...(config && { config: readBackupConfig(config, document) }),
  };
}

function readBackupConfig(root: YamlObject, document: string): BackupConfig {
  const container = root.object('container') ?? root.object('instance');
  const snapshots = root.objects('snapshots') ?? [];
  const pool = root.object('pool');
  const profiles = root.objects('profiles') ?? [];
  const volume = root.object('volume');
  const volumeSnapshots = root.objects('volume_snapshots') ?? [];
  if (snapshots.length > maxSnapshots || volumeSnapshots.length > maxSnapshots)
    throw new ApiError('invalid-argument', `Invalid "${document}": it has too many snapshots`);
  return {
    ...(container && { container: readInstance(container, document) }),
    snapshots: distinct(
      snapshots.map(snapshot => readSnapshot(snapshot, document)),
      document,
    ),
    ...(pool && { pool: readPool(pool, document) }),
    profiles: profiles.map(readProfile),
    ...(volume && { volume: readVolume(volume, document) }),
    volume_snapshots: distinct(
      volumeSnapshots.map(entry => readVolumeSnapshot(entry, document)),
      document,
    ),
  };
}

function readInstance(from: YamlObject, document: string): Instance {
  const type = from.string('type', 'container');
  if (type !== 'container' && type !== '')
    throw new ApiError('invalid-argument', `Invalid "type" in "${document}": only containers are supported`);
  return {
    ...readState(from),
    name: named(from.string('name'), instanceNameProblem, document),
    description: from.string('description', ''),
    status: 'Stopped',
    status_code: statusCodes.Stopped,
    created_at: from.time('created_at'),
    last_used_at: from.time('last_used_at'),
    location: from.string('location', 'none'),
    type: 'container',
    project: from.string('project', 'default') || 'default',
  };
}

function readSnapshot(from: YamlObject, document: string): InstanceSnapshot {
  // before LXD had them apart, the name was INSTANCE/SNAPSHOT
  const name = from.string('name').split('/').slice(-1)[0] ?? '';
  return {
    ...readState(from),
    name: named(name, snapshotNameProblem, document),
    created_at: from.time('created_at'),
    last_used_at: from.time('last_used_at'),
    expires_at: from.time('expires_at'),
    size: -1,
  };
}

type State = Pick<
  Instance,
  'architecture' | 'ephemeral' | 'stateful' | 'profiles' | 'config' | 'devices' | 'expanded_config' | 'expanded_devices'
>;

function readState(from: YamlObject): State {
  return {
    architecture: from.string('architecture', ''),
    ephemeral: from.boolean('ephemeral'),
    stateful: from.boolean('stateful'),
    profiles: from.strings('profiles') ?? [],
    config: from.config('config'),
    devices: from.devices('devices'),
    expanded_config: from.config('expanded_config'),
    expanded_devices: from.devices('expanded_devices'),
  };
}

function readPool(from: YamlObject, document: string): StoragePool {
  return {
    name: named(from.string('name'), objectNameProblem, document),
    description: from.string('description', ''),
    driver: from.string('driver', ''),
    config: from.config('config'),
    status: 'Created',
    locations: [],
    used_by: [],
  };
}

function readProfile(from: YamlObject): Profile {
  return {
    name: from.string('name'),
    description: from.string('description', ''),
    config: from.config('config'),
    devices: from.devices('devices'),
    used_by: [],
  };
}

function readVolume(from: YamlObject, document: string): ArchivedVolume {
  return {
    name: named(from.string('name'), objectNameProblem, document),
    description: from.string('description', ''),
    type: from.string('type', ''),
    content_type: from.string('content_type', 'filesystem') || 'filesystem',
    config: from.config('config'),
    project: from.string('project', 'default') || 'default',
    location: from.string('location', 'none'),
    used_by: [],
    created_at: from.time('created_at'),
  };
}

function readVolumeSnapshot(from: YamlObject, document: string): ArchivedVolumeSnapshot {
  return {
    name: named(from.string('name'), snapshotNameProblem, document),
    description: from.string('description', ''),
    content_type: from.string('content_type', 'filesystem') || 'filesystem',
    config: from.config('config'),
    created_at: from.time('created_at'),
    expires_at: from.time('expires_at'),
  };
}

function named(name: string, problem: (name: string) => string | undefined, document: string): string {
  const reason = problem(name);
  if (reason === undefined) return name;
  throw new ApiError(
    'invalid-argument',
    `Invalid name ${JSON.stringify(name.slice(0, 100))} in "${document}": it ${reason}`,
  );
}

function distinct<T extends { readonly name: string }>(entries: readonly T[], document: string): readonly T[] {
  if (new Set(entries.map(entry => entry.name)).size === entries.length) return entries;
  throw new ApiError('invalid-argument', `Invalid "${document}": two snapshots bear the same name`);
}
