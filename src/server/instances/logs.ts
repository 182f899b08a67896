import { constants } from 'node:fs';
import { open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { invalid, notFound } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { Services } from '../services.ts';
import type { ExecInstance } from './exec.ts';

type Uses = Pick<Services, 'paths'>;

const permanent = new Set(['lxc.log', 'lxc.conf', 'console.log']);
const prefixes = ['exec_', 'migration_', 'snapshot_'];

/** URLs of an instance's log files, sorted. */
export async function listLogs(services: Uses, instance: ExecInstance): Promise<readonly string[]> {
  const entries = await readdir(services.paths.logs(instance.id), { withFileTypes: true }).catch(emptyWhenMissing);
  return entries
    .filter(entry => entry.isFile() && isLogName(entry.name))
    .map(entry => `/1.0/instances/${instance.name}/logs/${entry.name}`)
    .sort();
}

/** Opens a log file; "not-found" when there is none. */
export async function readLog(services: Uses, instance: ExecInstance, name: string): Promise<Readable> {
  checkLogName(name);
  const file = await openLog(path.join(services.paths.logs(instance.id), name));
  if (!file) throw notFound('Log file', name);
  return file.createReadStream();
}

/** Deletes a log file that is not the runtime's own; succeeds when it is gone. */
export async function deleteLog(services: Uses, instance: ExecInstance, name: string): Promise<void> {
  checkLogName(name);
  if (permanent.has(name)) throw invalid('name', `"${name}" belongs to the running instance and cannot be deleted`);
  await unlink(path.join(services.paths.logs(instance.id), name)).catch(ignoreMissing);
}

function isLogName(name: string): boolean {
  if (name.includes('/') || hasControlCharacters(name) || name.length > 255) return false;
  return permanent.has(name) || prefixes.some(prefix => name.startsWith(prefix));
}

function checkLogName(name: string): void {
  if (!isLogName(name)) throw invalid('name', `"${name}" is no log file`);
}

async function openLog(file: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch(ignoreMissing);
  if (!handle) return undefined;
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  return undefined;
}

function ignoreMissing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOENT' && code !== 'ELOOP') throw error;
}

function emptyWhenMissing(error: unknown): [] {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return [];
}
