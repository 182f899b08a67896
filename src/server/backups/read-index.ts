import { ApiError } from '#api/error.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { parseBackupIndex } from '../backup-config/parse-backup-config.ts';
import { malformed } from '../images/tar-header.ts';
import { archiveNames, indexName } from './archive-names.ts';
import { decompressed } from './compression.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

const limits = { bytes: 2 ** 50, members: 4_000_000 };
const largestText = 4 * 2 ** 20;

/** Reads the index of a backup, which stands at its beginning. Throws "invalid-argument". */
export async function readIndex(file: string, signal?: AbortSignal): Promise<BackupIndex> {
  const found = new AbortController();
  const stop = signal ? AbortSignal.any([signal, found.signal]) : found.signal;
  const bytes = await decompressed(file, stop);
  try {
    for await (const entry of readTar(bytes, limits)) {
      const { name, type } = entry.member;
      if (name === 'backup' && type === 'folder') continue;
      if (name !== indexName || type !== 'file') throw malformed(`it does not begin with "${indexName}"`);
      const index = parseBackupIndex((await readText(entry)).toString('utf8'));
      checkIndex(index);
      return index;
    }
    throw malformed('it is empty');
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(error);
  } finally {
    found.abort(new ApiError('canceled', 'The index was read'));
    bytes.on('error', () => undefined).destroy();
  }
}

export async function readText(entry: TarEntry): Promise<Buffer> {
  if (entry.member.storedSize > largestText) throw malformed(`"${entry.member.name}" is too large`);
  const parts: Buffer[] = [];
  for await (const part of entry.content()) parts.push(part);
  return Buffer.concat(parts);
}

/** A failed decompressor means a bad upload; other failures keep their meaning. */
export function unreadable(error: unknown): Error {
  if (ApiError.is(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ApiError('invalid-argument', `Failed reading the backup: ${reason.slice(0, 300)}`, { cause: error });
}

/** Names and descriptions must tell of the same snapshots: what has no description could not be used. */
function checkIndex({ type, snapshots = [], config }: BackupIndex): void {
  const described = type === 'container' ? config?.snapshots : config?.volume_snapshots;
  if (type === 'container' && !config?.container) throw lacks('an instance');
  if (type === 'custom' && !config?.volume) throw lacks('a volume');
  if (new Set(snapshots).size !== snapshots.length) throw malformed('its index names a snapshot twice');
  for (const name of snapshots) {
    if (!described?.some(snapshot => snapshot.name === name))
      throw lacks(`snapshot ${JSON.stringify(name.slice(0, 100))} of "${archiveNames[type].snapshots}"`);
  }
}

function lacks(what: string): ApiError {
  return new ApiError('invalid-argument', `Invalid "${indexName}": it does not describe ${what}`);
}
