import { createHash } from 'node:crypto';
import type { FileChangeKind, FileVersion } from '#api/file.ts';
import { ApiError } from '#api/error.ts';
import { listSnapshotRows } from '#server/database/snapshots.ts';
import type { FileEntry, FileServer } from '../runtime/runtime.ts';
import { absolute, type FilesInstance, modeText, statOrNothing, timeText, withFiles } from './files.ts';
import { idmapFor, loadInstance, reachFiles } from './reach-instance.ts';
import { openSnapshot, type SnapshotUses } from './reach-snapshot.ts';

/** A file as it is in one snapshot, or now. */
export interface FileState {
  /** undefined = now */
  readonly snapshot: string | undefined;
  /** undefined = there is none */
  readonly entry: FileEntry | undefined;
  /** says what is in it, by reading it */
  readonly digest: () => Promise<string>;
}

interface Version {
  readonly first: FileState;
  readonly changed: readonly FileChangeKind[];
  readonly snapshots: string[];
  readonly identities: Set<string>;
  current: boolean;
}

/** The versions of a file over all snapshots of an instance and now, in the order in which they came up. */
export async function fileHistory(
  services: SnapshotUses,
  project: string,
  name: string,
  path: string,
  signal?: AbortSignal,
): Promise<readonly FileVersion[]> {
  const place = absolute(path);
  const { record, instance } = await loadInstance(services, project, name);
  const snapshots = await services.database.read(reader => listSnapshotRows(reader, record.id));
  const idmap = idmapFor(record.config, instance.config);
  const history = new FileHistory();
  for (const { name: snapshot, ready } of snapshots) {
    if (!ready) continue;
    signal?.throwIfAborted();
    const open = (): Promise<FilesInstance> => openSnapshot(services, record, snapshot, { idmap, brief: true });
    await history.add(await stateOf(services, snapshot, open, place, signal));
  }
  await history.add(await stateOf(services, undefined, () => reachFiles(services, project, name), place, signal));
  if (history.isEmpty)
    throw new ApiError('not-found', `"${path}" is neither in instance "${name}" nor in any of its snapshots`);
  return history.versions;
}

/** Puts states, oldest first, together to versions. Contents are read only where what stat says leaves it open. */
export class FileHistory {
  readonly #versions: Version[] = [];
  #before: FileState | undefined;

  get isEmpty(): boolean {
    return this.#versions.every(({ first }) => first.entry === undefined);
  }

  get versions(): readonly FileVersion[] {
    return this.#versions.map(viewOf);
  }

  async add(state: FileState): Promise<void> {
    const version = (await this.#find(state)) ?? (await this.#begin(state));
    if (state.entry) version.identities.add(state.entry.identity);
    if (state.snapshot === undefined) version.current = true;
    else version.snapshots.push(state.snapshot);
    this.#before = version.first;
  }

  async #find(state: FileState): Promise<Version | undefined> {
    const alike = this.#versions.filter(({ first }) => differences(first.entry, state.entry).length === 0);
    const untouched = alike.find(({ identities }) => !state.entry || identities.has(state.entry.identity));
    if (untouched) return untouched;
    for (const version of alike) if ((await version.first.digest()) === (await state.digest())) return version;
    return undefined;
  }

  async #begin(state: FileState): Promise<Version> {
    const before = this.#before;
    const changed = before ? [...differences(before.entry, state.entry)] : [];
    const comparable = before?.entry && state.entry && before.entry.kind === state.entry.kind;
    if (comparable && !changed.includes('content') && (await before.digest()) !== (await state.digest()))
      changed.unshift('content');
    const version = { first: state, changed, snapshots: [], identities: new Set<string>(), current: false };
    this.#versions.push(version);
    return version;
  }
}

/** What two states differ in by what stat says of them; contents may differ besides. */
function differences(one: FileEntry | undefined, other: FileEntry | undefined): readonly FileChangeKind[] {
  if (!one || !other) return one === other ? [] : ['type'];
  if (one.kind !== other.kind || one.special !== other.special) return ['type'];
  const changed: FileChangeKind[] = [];
  if (one.kind === 'file' && one.size !== other.size) changed.push('content');
  if (one.mode !== other.mode) changed.push('mode');
  if (one.uid !== other.uid || one.gid !== other.gid) changed.push('owner');
  return changed;
}

async function stateOf(
  services: SnapshotUses,
  snapshot: string | undefined,
  open: () => Promise<FilesInstance>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<FileState> {
  const entry = await withFiles(services, await open(), server => statOrNothing(server, path));
  let digest: Promise<string> | undefined;
  const read = async (): Promise<string> =>
    await withFiles(services, await open(), server => digestOf(server, path, entry, signal));
  return { snapshot, entry, digest: () => (digest ??= read()) };
}

async function digestOf(
  server: FileServer,
  path: string,
  entry: FileEntry | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (entry?.kind === 'symlink') return await server.readLink(path);
  if (entry?.kind !== 'file' && entry?.kind !== 'directory') return '';
  const hash = createHash('sha256');
  if (entry.kind === 'directory') {
    hash.update((await server.list(path)).join('\0'));
  } else {
    for await (const part of (await server.read(path)).stream) {
      signal?.throwIfAborted();
      hash.update(part as Buffer);
    }
  }
  return hash.digest('hex');
}

function viewOf({ first: { entry }, changed, snapshots, current }: Version): FileVersion {
  const common = { snapshots, current, changed };
  if (!entry) return { ...common, type: 'absent' };
  const { kind, special, mode, uid, gid, size, modified } = entry;
  return { ...common, type: special ?? kind, mode: modeText(mode), uid, gid, size, modified_at: timeText(modified) };
}
