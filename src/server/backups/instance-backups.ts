import type { Writable } from 'node:stream';
import type { InstanceBackupsPost } from '#api/backup.ts';
import { ApiError } from '#api/error.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { instanceBackups } from '../database/backups.ts';
import { getInstance, type InstanceRecord } from '../database/instances.ts';
import type { Compression } from '../images/compression.ts';
import { writeBackupFile } from '../instances/backup-file.ts';
import { describeInstance } from '../instances/describe-instance.ts';
import { instancePath, type InstanceServices } from '../instances/instance-services.ts';
import { rootPool, rootVolume } from '../instances/root-volume.ts';
import { holdInstance } from '../instances/status.ts';
import { containerId } from '../paths.ts';
import type { Services } from '../services.ts';
import { compressed } from './compression.ts';
import { type BackupContext, type BackupOwner, createKept, planKept } from './kept-backups.ts';
import { type ArchiveContent, assertStreams, storageOf, writeArchive } from './write-archive.ts';

export type BackupServices = InstanceServices & Pick<Services, 'settings'>;

/** Throws "not-found". */
export async function instanceOwner(
  services: Pick<Services, 'database' | 'paths'>,
  project: string,
  name: string,
): Promise<BackupOwner> {
  return ownerOf(services, await services.database.read(reader => getInstance(reader, project, name)));
}

export function ownerOf({ paths }: Pick<Services, 'paths'>, { id, project, name }: InstanceRecord): BackupOwner {
  const folder = paths.instanceBackups(containerId(project, name));
  return { table: instanceBackups, id, project, name, folder, path: instancePath(name), action: 'instance-backup' };
}

/** Checks a request and picks the name; what is wrong with it is known before anything begins. */
export async function planBackup(
  services: BackupServices,
  project: string,
  instance: string,
  request: InstanceBackupsPost,
): Promise<{ readonly name: string; readonly compression: Compression }> {
  const record = await services.database.read(reader => getInstance(reader, project, instance));
  if (request.optimized_storage) assertStreams(rootPool(services, record));
  return await planKept(services, ownerOf(services, record), request);
}

/** Makes a backup that is kept on the server until it is deleted or expires. */
export async function createBackup(
  services: BackupServices,
  project: string,
  instance: string,
  request: InstanceBackupsPost & { readonly name: string },
  { compression, ...context }: BackupContext & { readonly compression: Compression },
): Promise<void> {
  const owner = await instanceOwner(services, project, instance);
  const write = (output: Writable): Promise<void> =>
    exportInstance(services, project, instance, request, { ...context, compression, output });
  await createKept(services, owner, { ...request, only: isAlone(request) }, write, context);
}

/** Writes an instance as a backup into a stream, which is left open. */
export async function exportInstance(
  services: BackupServices,
  project: string,
  instance: string,
  request: InstanceBackupsPost,
  context: BackupContext & { readonly compression: Compression; readonly output: Writable },
): Promise<void> {
  const { signal, compression, output } = context;
  // Held until the content is fixed: the description must tell of the snapshots that are in it.
  const lock = await holdInstance(services.locks, project, instance, 'copy', signal);
  try {
    await writeBackupFile(services, project, instance);
    const { record, config } = await describeInstance(services, project, instance);
    if (!record.ready) throw new ApiError('failed-precondition', `Instance "${instance}" is not complete`);
    const content: ArchiveContent = {
      index: indexOf(services, record, config, request),
      pool: rootPool(services, record),
      volume: rootVolume(record),
      fixed: () => lock.release(),
    };
    await compressed(compression, output, raw => writeArchive(services.paths, content, raw, signal), signal);
  } finally {
    lock.release();
  }
}

function indexOf(
  services: BackupServices,
  record: InstanceRecord,
  config: NonNullable<BackupIndex['config']>,
  request: InstanceBackupsPost,
): BackupIndex {
  const { snapshots = [], volume_snapshots: volumeSnapshots = [], ...rest } = config;
  const kept = isAlone(request) ? rest : { ...rest, snapshots, volume_snapshots: volumeSnapshots };
  return {
    name: record.name,
    ...storageOf(rootPool(services, record), request.optimized_storage === true),
    snapshots: isAlone(request) ? [] : snapshots.map(snapshot => snapshot.name),
    type: 'container',
    config: kept,
  };
}

function isAlone(request: InstanceBackupsPost): boolean {
  return request.instance_only === true || request.container_only === true;
}
