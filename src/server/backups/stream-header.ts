import { ApiError } from '#api/error.ts';
import type { ChainedTree } from '#storage/driver.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { parseStrangersYaml } from '../backup-config/yaml-reader.ts';
import { streamHeaderName } from './archive-names.ts';

const largest = 2 ** 20;

/** The trees that a backup has streams of when it does not list them: no more than snapshots and volume. */
export function topTrees({ snapshots = [] }: BackupIndex): readonly ChainedTree[] {
  const top = { path: '/', id: '' };
  const kept = snapshots.map(snapshot => ({ ...top, snapshot, readonly: true }));
  return [...kept, { ...top, snapshot: undefined, readonly: false }];
}

/**
 * Reads what LXD writes beside streams: each subvolume by its snapshot and its path in it, tops before what is nested in
 * them, snapshots in the order of the index and the volume last. Throws "invalid-argument" for anything else.
 */
export function parseStreamHeader(text: string, index: BackupIndex): readonly ChainedTree[] {
  const trees = (parseStrangersYaml(text, streamHeaderName, largest).objects('subvolumes') ?? []).map(subvolume => ({
    snapshot: subvolume.string('snapshot', '') || undefined,
    path: checkPath(subvolume.string('path')),
    readonly: subvolume.boolean('readonly'),
    id: checkId(subvolume.string('uuid', '')),
  }));
  const wanted = topTrees(index).map(({ snapshot }) => snapshot);
  const tops = trees.filter(({ path }) => path === '/').map(({ snapshot }) => snapshot);
  if (tops.length !== wanted.length || tops.some((snapshot, at) => snapshot !== wanted[at]))
    throw refused('it does not list the snapshots of the index and the volume, each once');
  const seen = new Set<string>();
  for (const { snapshot = '', path } of trees) {
    if (path !== '/' && !seen.has(`${snapshot}\0/`)) throw refused('a subvolume comes before the one that it lies in');
    if (seen.has(`${snapshot}\0${path}`)) throw refused('it names a subvolume twice');
    seen.add(`${snapshot}\0${path}`);
  }
  return trees;
}

/** Paths become names of folders below the volume. */
function checkPath(path: string): string {
  const parts = path.split('/').slice(1);
  const bad = !path.startsWith('/') || path.includes('\0') || parts.some(part => ['', '.', '..'].includes(part));
  if (path !== '/' && bad) throw refused(`path ${JSON.stringify(path.slice(0, 200))} is not plainly within the volume`);
  return path;
}

function checkId(id: string): string {
  if (id !== '' && !/^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(id)) throw refused('it has a malformed UUID');
  return id;
}

function refused(reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid "${streamHeaderName}": ${reason}`);
}
