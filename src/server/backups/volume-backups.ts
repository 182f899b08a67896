import type { Writable } from 'node:stream';
import type { VolumeBackup, VolumeBackupsPost } from '#api/backup.ts';
import type { BackupConfig } from '../backup-config/backup-config.ts';
import { type BackupRecord, volumeBackups } from '../database/backups.ts';
import type { VolumeRecord } from '../database/storage-volumes.ts';
import { listVolumeSnapshots, type VolumeSnapshotRecord } from '../database/volume-snapshots.ts';
import type { Compression } from '../images/compression.ts';
import { customVolumeName } from '../paths.ts';
import type { Services } from '../services.ts';
import { type CustomAt, holdVolume, onDisk, readyVolume, volumePath, type VolumeServices } from '../volumes/volume.ts';
import { compressed } from './compression.ts';
import { type BackupContext, type BackupOwner, createKept, type KeptServices, planKept } from './kept-backups.ts';
import { type ArchiveContent, assertStreams, storageOf, writeArchive } from './write-archive.ts';

export type VolumeBackupServices = VolumeServices & KeptServices;

/** Throws "not-found". */
export async function volumeOwner(services: Pick<Services, 'database' | 'paths'>, at: CustomAt): Promise<BackupOwner> {
  return ownerOfVolume(services, await services.database.read(reader => readyVolume(reader, at)));
}

export function ownerOfVolume({ paths }: Pick<Services, 'paths'>, record: VolumeRecord): BackupOwner {
  const { id, pool, project, name } = record;
  const folder = paths.volumeBackups(pool, customVolumeName(project, name));
  const path = volumePath(pool, name);
  return { table: volumeBackups, id, project, name, folder, path, action: 'storage-volume-backup' };
}

/** Checks a request and picks the name; what is wrong with it is known before anything begins. */
export async function planVolumeBackup(
  services: VolumeBackupServices,
  at: CustomAt,
  request: VolumeBackupsPost,
): Promise<{ readonly name: string; readonly compression: Compression }> {
  const owner = await volumeOwner(services, at);
  if (request.optimized_storage) assertStreams(services.pools.get(at.pool));
  return await planKept(services, owner, request);
}

/** Makes a backup that is kept on the server until it is deleted or expires. */
export async function createVolumeBackup(
  services: VolumeBackupServices,
  at: CustomAt,
  request: VolumeBackupsPost & { readonly name: string },
  { compression, ...context }: BackupContext & { readonly compression: Compression },
): Promise<void> {
  const owner = await volumeOwner(services, at);
  const write = (output: Writable): Promise<void> =>
    exportVolume(services, at, request, { ...context, compression, output });
  await createKept(services, owner, { ...request, only: request.volume_only === true }, write, context);
}

/** Writes a custom volume as a backup into a stream, which is left open. */
export async function exportVolume(
  services: VolumeBackupServices,
  at: CustomAt,
  request: VolumeBackupsPost,
  { signal, compression, output }: BackupContext & { readonly compression: Compression; readonly output: Writable },
): Promise<void> {
  const lock = await holdVolume(services, at, 'export', signal);
  try {
    const { record, snapshots } = await services.database.read(async reader => {
      const record = await readyVolume(reader, at);
      const rows = request.volume_only ? [] : await listVolumeSnapshots(reader, record.id);
      return { record, snapshots: rows.filter(({ ready }) => ready) };
    });
    const pool = services.pools.get(at.pool);
    const content: ArchiveContent = {
      index: {
        name: at.name,
        ...storageOf(pool, request.optimized_storage === true),
        snapshots: snapshots.map(({ name }) => name),
        type: 'custom',
        config: describeVolume(record, snapshots),
      },
      pool,
      volume: onDisk(at),
      fixed: () => lock.release(),
    };
    await compressed(compression, output, raw => writeArchive(services.paths, content, raw, signal), signal);
  } finally {
    lock.release();
  }
}

function describeVolume(record: VolumeRecord, snapshots: readonly VolumeSnapshotRecord[]): BackupConfig {
  const { name, description, project, createdAt, config } = record;
  const common = { content_type: 'filesystem' } as const;
  return {
    volume: {
      ...common,
      config: travelling(config),
      description,
      name,
      type: 'custom',
      used_by: [],
      location: 'none',
      project,
      created_at: createdAt,
    },
    volume_snapshots: snapshots.map(snapshot => ({
      ...common,
      description: snapshot.description,
      expires_at: snapshot.expiresAt,
      name: snapshot.name,
      config: travelling(snapshot.config),
      created_at: snapshot.createdAt,
    })),
  };
}

/** Volatile values tell of this server only. */
function travelling(config: VolumeRecord['config']): VolumeRecord['config'] {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('volatile.')));
}

/** A backup as the API shows it. */
export function viewVolumeBackup({ name, createdAt, expiresAt, only, optimized }: BackupRecord): VolumeBackup {
  return {
    name,
    created_at: createdAt,
    expires_at: expiresAt,
    volume_only: only,
    optimized_storage: optimized,
  };
}
