import { ApiError } from '#api/error.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { parseStrangersYaml } from '../backup-config/yaml-reader.ts';
import { streamHeaderName } from './archive-names.ts';

const largest = 2 ** 20;

/**
 * Checks what LXD writes beside streams: each subvolume by its snapshot and its path in it. Paths are never followed:
 * subvolumes within subvolumes are refused, so that the only path there is is that of the top.
 */
export function parseStreamHeader(text: string, { snapshots = [] }: BackupIndex): void {
  const subvolumes = parseStrangersYaml(text, streamHeaderName, largest).objects('subvolumes') ?? [];
  const seen = new Set<string>();
  for (const subvolume of subvolumes) {
    const snapshot = subvolume.string('snapshot', '');
    if (snapshot !== '' && !snapshots.includes(snapshot)) throw refused('it names a snapshot that is not in the index');
    if (subvolume.string('path') !== '/')
      throw new ApiError('unsupported', 'Cannot import the backup: it holds streams of subvolumes within subvolumes');
    if (seen.has(snapshot)) throw refused('it names a snapshot twice');
    seen.add(snapshot);
  }
}

function refused(reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid "${streamHeaderName}": ${reason}`);
}
