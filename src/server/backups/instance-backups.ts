import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { zeroTime } from '#api/common.ts';
import type { InstanceBackup, InstanceBackupsPost } from '#api/backup.ts';
import { ApiError, invalid } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import {
  type BackupRecord,
  deleteBackupRow,
  getBackup,
  insertBackup,
  instanceBackups,
  listBackupRows,
  renameBackupRow,
  setBackupReady,
} from '../database/backups.ts';
import { loadConfig, projectConfig } from '../database/config-rows.ts';
import { getInstance, type InstanceRecord, listInstanceRows } from '../database/instances.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { writeBackupFile } from '../instances/backup-file.ts';
import { describeInstance } from '../instances/describe-instance.ts';
import { type ActionContext, instancePath, type InstanceServices } from '../instances/instance-services.ts';
import type { Compression } from '../images/compression.ts';
import { rootPool, rootVolume } from '../instances/root-volume.ts';
import { isExpired } from '../instances/snapshot-expiry.ts';
import { holdInstance } from '../instances/status.ts';
import { containerId } from '../paths.ts';
import type { Services } from '../services.ts';
import { checkBackupName, freeBackupName } from './backup-names.ts';
import { backupCompression, compressed } from './compression.ts';
import { type ArchiveContent, assertStreams, temporaryFile, writeArchive } from './write-archive.ts';

export type BackupServices = InstanceServices & Pick<Services, 'settings'>;

/** On whose behalf, and whom to tell how many bytes are written. */
export type BackupContext = ActionContext & { readonly onBytes?: (bytes: number) => void };

/** Checks a request and picks the name; what is wrong with it is known before anything begins. */
export async function planBackup(
  services: BackupServices,
  project: string,
  instance: string,
  request: InstanceBackupsPost,
): Promise<{ readonly name: string; readonly compression: Compression }> {
  const { record, names, algorithm } = await services.database.read(async reader => {
    const record = await getInstance(reader, project, instance);
    const owner = await reader.get<{ id: number }>('SELECT id FROM projects WHERE name = ?', [project]);
    const config = owner ? await loadConfig(reader, projectConfig, owner.id) : {};
    const names = (await listBackupRows(reader, instanceBackups, record.id)).map(backup => backup.name);
    return { record, names, algorithm: config['backups.compression_algorithm'] };
  });
  const fallback = algorithm || services.settings.get('backups.compression_algorithm') || 'gzip';
  const compression = backupCompression(request.compression_algorithm || fallback);
  if (request.optimized_storage) assertStreams(rootPool(services, record));
  parseExpiry(request.expires_at);
  const given = (request.name ?? '').replace(new RegExp(`^${instance}/`), '');
  return { name: given === '' ? freeBackupName(names) : checkBackupName(given), compression };
}

/** Makes a backup that is kept on the server until it is deleted or expires. */
export async function createBackup(
  services: BackupServices,
  project: string,
  instance: string,
  request: InstanceBackupsPost & { readonly name: string },
  { compression, ...context }: BackupContext & { readonly compression: Compression },
): Promise<void> {
  const { name } = request;
  await using revert = new Revert(services.log);
  const { record, id } = await services.database.write(async tx => {
    const record = await getInstance(tx, project, instance);
    const id = await insertBackup(tx, instanceBackups, {
      ownerId: record.id,
      name,
      createdAt: new Date().toISOString(),
      expiresAt: parseExpiry(request.expires_at),
      only: isAlone(request),
      optimized: request.optimized_storage === true,
    });
    return { record, id };
  });
  revert.add('inserting the row', () => services.database.write(tx => deleteBackupRow(tx, instanceBackups, id)));
  await faultPoint('backup.after-row');
  const half = await temporaryFile(services.paths);
  revert.add('writing the backup', () => rm(half, { force: true }));
  const output = createWriteStream(half, { flags: 'wx', mode: 0o600 });
  const written = finished(output);
  written.catch(() => undefined);
  const telling = setInterval(() => context.onBytes?.(output.bytesWritten), 500);
  try {
    await exportInstance(services, project, instance, request, { ...context, compression, output });
  } finally {
    clearInterval(telling);
    output.end();
  }
  await written;
  await faultPoint('backup.after-file');
  const file = backupFile(services, record, name);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await rename(half, file);
  revert.add('placing the backup', () => rm(file, { force: true }));
  await services.database.write(tx => setBackupReady(tx, instanceBackups, id));
  revert.commit();
  tell(services, 'instance-backup-created', record, name, context);
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
  const optimized = request.optimized_storage === true;
  const kept = isAlone(request) ? rest : { ...rest, snapshots, volume_snapshots: volumeSnapshots };
  return {
    name: record.name,
    backend: rootPool(services, record).driver.name,
    pool: record.pool,
    snapshots: isAlone(request) ? [] : snapshots.map(snapshot => snapshot.name),
    optimized,
    optimized_header: optimized,
    type: 'container',
    config: kept,
  };
}

function isAlone(request: InstanceBackupsPost): boolean {
  return request.instance_only === true || request.container_only === true;
}

export async function listBackups(
  services: BackupServices,
  project: string,
  instance: string,
): Promise<readonly InstanceBackup[]> {
  const rows = await services.database.read(async reader => {
    const record = await getInstance(reader, project, instance);
    return await listBackupRows(reader, instanceBackups, record.id);
  });
  return rows.filter(row => row.ready).map(viewBackup);
}

/** Throws "not-found". */
export async function readBackup(
  services: BackupServices,
  project: string,
  instance: string,
  name: string,
): Promise<{ readonly view: InstanceBackup; readonly file: string }> {
  const { record, backup } = await load(services, project, instance, name);
  if (!backup.ready) throw new ApiError('not-found', `Backup "${name}" not found: it is not complete`);
  return { view: viewBackup(backup), file: backupFile(services, record, name) };
}

export async function renameBackup(
  services: BackupServices,
  project: string,
  instance: string,
  names: { readonly from: string; readonly to: string },
  context: ActionContext,
): Promise<void> {
  checkBackupName(names.to);
  using _lock = await services.locks.hold(lockOf(project, instance), 'rename', context.signal);
  const { record, backup } = await load(services, project, instance, names.from);
  await services.database.write(tx => renameBackupRow(tx, instanceBackups, backup.id, names.to));
  await rename(backupFile(services, record, names.from), backupFile(services, record, names.to));
  tell(services, 'instance-backup-renamed', record, names.to, { ...context, oldName: names.from });
}

export async function deleteBackup(
  services: BackupServices,
  project: string,
  instance: string,
  name: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await services.locks.hold(lockOf(project, instance), 'delete', context.signal);
  const { record, backup } = await load(services, project, instance, name);
  await rm(backupFile(services, record, name), { force: true });
  await services.database.write(tx => deleteBackupRow(tx, instanceBackups, backup.id));
  tell(services, 'instance-backup-deleted', record, name, context);
}

/** Deletes backups whose time has come. */
export async function deleteExpiredBackups(services: BackupServices, now: Date = new Date()): Promise<void> {
  const expired = await services.database.read(async reader => {
    const rows = (await listBackupRows(reader, instanceBackups)).filter(row => row.ready);
    const due = rows.filter(row => isExpired(row.expiresAt, now));
    if (due.length === 0) return [];
    const owners = new Map((await listInstanceRows(reader)).map(record => [record.id, record]));
    return due.flatMap(({ ownerId, name }) => {
      const owner = owners.get(ownerId);
      return owner ? [{ owner, name }] : [];
    });
  });
  for (const { owner, name } of expired) {
    await deleteBackup(services, owner.project, owner.name, name).catch((error: unknown) => {
      services.log.warning('Failed deleting an expired backup', { instance: owner.name, backup: name, error });
    });
  }
}

async function load(
  services: BackupServices,
  project: string,
  instance: string,
  name: string,
): Promise<{ readonly record: InstanceRecord; readonly backup: BackupRecord }> {
  return await services.database.read(async reader => {
    const record = await getInstance(reader, project, instance);
    return { record, backup: await getBackup(reader, instanceBackups, record.id, name) };
  });
}

function backupFile({ paths }: Pick<Services, 'paths'>, { project, name }: InstanceRecord, backup: string): string {
  return path.join(paths.instanceBackups(containerId(project, name)), backup);
}

function lockOf(project: string, instance: string): string {
  return `backups/${project}/${instance}`;
}

function viewBackup(backup: BackupRecord): InstanceBackup {
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

/** RFC 3339; zero time = never. */
export function parseExpiry(text: string | undefined): string {
  if (text === undefined || text === '' || text === zeroTime) return zeroTime;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalid('expires_at', 'must be a time such as "2030-01-31T12:00:00Z"');
  return new Date(time).toISOString();
}

function tell(
  services: BackupServices,
  action: string,
  { name, project }: InstanceRecord,
  backup: string,
  { requestor, oldName }: ActionContext & { readonly oldName?: string },
): void {
  emitLifecycle(services.events, action, `${instancePath(name)}/backups/${encodeURIComponent(backup)}`, {
    project,
    ...(requestor && { requestor }),
    ...(oldName !== undefined && { context: { old_name: oldName } }),
  });
}
