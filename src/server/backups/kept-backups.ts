import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { zeroTime } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import {
  type BackupRecord,
  type BackupTable,
  deleteBackupRow,
  getBackup,
  insertBackup,
  listBackupRows,
  renameBackupRow,
  setBackupReady,
} from '../database/backups.ts';
import { loadConfig, projectConfig } from '../database/config-rows.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Compression } from '../images/compression.ts';
import type { ActionContext } from '../instances/instance-services.ts';
import { checkBackupAllowed } from '../projects/check-project.ts';
import type { Services } from '../services.ts';
import { checkBackupName, freeBackupName } from './backup-names.ts';
import { backupCompression } from './compression.ts';
import { temporaryFile } from './write-archive.ts';

export type KeptServices = Pick<Services, 'database' | 'settings' | 'paths' | 'events' | 'locks' | 'log'>;

/** What backups are kept of: an instance or a custom volume. */
export interface BackupOwner {
  readonly table: BackupTable;
  readonly id: number;
  readonly project: string;
  readonly name: string;
  /** of the backups' files */
  readonly folder: string;
  /** URL path */
  readonly path: string;
  /** of lifecycle events: "instance-backup" or "storage-volume-backup" */
  readonly action: string;
}

/** What a client may ask of a backup, whatever it is made of. */
export interface BackupWish {
  readonly name?: string;
  readonly expires_at?: string;
  readonly optimized_storage?: boolean;
  readonly compression_algorithm?: string;
}

/** On whose behalf, and whom to tell how many bytes are written. */
export type BackupContext = ActionContext & { readonly onBytes?: (bytes: number) => void };

/** Checks a request and picks the name; what is wrong with it is known before anything begins. */
export async function planKept(
  services: KeptServices,
  owner: BackupOwner,
  request: BackupWish,
): Promise<{ readonly name: string; readonly compression: Compression }> {
  const { names, algorithm } = await services.database.read(async reader => {
    await checkBackupAllowed(reader, owner.project);
    const project = await reader.get<{ id: number }>('SELECT id FROM projects WHERE name = ?', [owner.project]);
    const config = project ? await loadConfig(reader, projectConfig, project.id) : {};
    const names = (await listBackupRows(reader, owner.table, owner.id)).map(backup => backup.name);
    return { names, algorithm: config['backups.compression_algorithm'] };
  });
  const fallback = algorithm || services.settings.get('backups.compression_algorithm') || 'gzip';
  const compression = backupCompression(request.compression_algorithm || fallback);
  parseExpiry(request.expires_at);
  const given = request.name ?? '';
  const name = given.startsWith(`${owner.name}/`) ? given.slice(owner.name.length + 1) : given;
  return { name: name === '' ? freeBackupName(names) : checkBackupName(name), compression };
}

/** Keeps what `write` writes until it is deleted or expires. */
export async function createKept(
  services: KeptServices,
  owner: BackupOwner,
  request: BackupWish & { readonly name: string; readonly only: boolean },
  write: (output: Writable) => Promise<void>,
  context: BackupContext,
): Promise<void> {
  const { name, only } = request;
  const { table } = owner;
  await using revert = new Revert(services.log);
  const id = await services.database.write(async tx => {
    await checkBackupAllowed(tx, owner.project);
    return await insertBackup(tx, table, {
      ownerId: owner.id,
      name,
      createdAt: new Date().toISOString(),
      expiresAt: parseExpiry(request.expires_at),
      only,
      optimized: request.optimized_storage === true,
    });
  });
  revert.add('inserting the row', () => services.database.write(tx => deleteBackupRow(tx, table, id)));
  await faultPoint('backup.after-row');
  const half = await temporaryFile(services.paths);
  revert.add('writing the backup', () => rm(half, { force: true }));
  const output = createWriteStream(half, { flags: 'wx', mode: 0o600 });
  const written = finished(output);
  written.catch(() => undefined);
  const telling = setInterval(() => context.onBytes?.(output.bytesWritten), 500);
  try {
    await write(output);
  } finally {
    clearInterval(telling);
    output.end();
  }
  await written;
  await faultPoint('backup.after-file');
  await mkdir(owner.folder, { recursive: true, mode: 0o700 });
  await rename(half, path.join(owner.folder, name));
  revert.add('placing the backup', () => rm(path.join(owner.folder, name), { force: true }));
  await services.database.write(tx => setBackupReady(tx, table, id));
  revert.commit();
  tell(services, owner, 'created', name, context);
}

export async function listKept(services: KeptServices, { table, id }: BackupOwner): Promise<readonly BackupRecord[]> {
  const rows = await services.database.read(reader => listBackupRows(reader, table, id));
  return rows.filter(row => row.ready);
}

/** Throws "not-found". */
export async function readKept(
  services: KeptServices,
  { table, id, folder }: BackupOwner,
  name: string,
): Promise<{ readonly record: BackupRecord; readonly file: string }> {
  const record = await services.database.read(reader => getBackup(reader, table, id, name));
  if (!record.ready) throw new ApiError('not-found', `Backup "${name}" not found: it is not complete`);
  return { record, file: path.join(folder, name) };
}

export async function renameKept(
  services: KeptServices,
  owner: BackupOwner,
  names: { readonly from: string; readonly to: string },
  context: ActionContext,
): Promise<void> {
  checkBackupName(names.to);
  using _lock = await services.locks.hold(`backups${owner.path}`, 'rename', context.signal);
  const { record, file } = await readKept(services, owner, names.from);
  await services.database.write(tx => renameBackupRow(tx, owner.table, record.id, names.to));
  await rename(file, path.join(owner.folder, names.to));
  tell(services, owner, 'renamed', names.to, { ...context, oldName: names.from });
}

export async function deleteKept(
  services: KeptServices,
  owner: BackupOwner,
  name: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await services.locks.hold(`backups${owner.path}`, 'delete', context.signal);
  const { record, file } = await readKept(services, owner, name);
  await rm(file, { force: true });
  await services.database.write(tx => deleteBackupRow(tx, owner.table, record.id));
  tell(services, owner, 'deleted', name, context);
}

/** RFC 3339; zero time = never. */
function parseExpiry(text: string | undefined): string {
  if (text === undefined || text === '' || text === zeroTime) return zeroTime;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalid('expires_at', 'must be a time such as "2030-01-31T12:00:00Z"');
  return new Date(time).toISOString();
}

function tell(
  services: KeptServices,
  owner: BackupOwner,
  what: 'created' | 'renamed' | 'deleted',
  backup: string,
  { requestor, oldName }: ActionContext & { readonly oldName?: string },
): void {
  emitLifecycle(services.events, `${owner.action}-${what}`, `${owner.path}/backups/${encodeURIComponent(backup)}`, {
    project: owner.project,
    ...(requestor && { requestor }),
    ...(oldName !== undefined && { context: { old_name: oldName } }),
  });
}
