import { PassThrough, Readable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import { canChainStreams, type ReceivedStream, type Volume } from '#storage/driver.ts';
import type { Pool } from '#storage/pool.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { malformed } from '../images/tar-header.ts';
import { tarArguments } from '../images/unpack-tar.ts';
import { archiveNames, indexName, streamHeaderName, streamName } from './archive-names.ts';
import { decompressed } from './compression.ts';
import { parseStreamHeader, topTrees } from './stream-header.ts';
import { adoptTop, checkTree, isUnpacked } from './tree-rules.ts';
import { readText, unreadable } from './read-index.ts';
import { paddingOf, readTar, type TarEntry } from './tar-reader.ts';
import { writeBytes } from './tar-writer.ts';

const dayMs = 24 * 3600 * 1000;
const maxMembers = 4_000_000;

/** A backup that is put into a pool. */
export interface RestoredArchive {
  readonly file: string;
  readonly index: BackupIndex;
  readonly pool: Pool;
  readonly volume: Volume;
}

/**
 * Makes the volume of a backup with its snapshots. Throws "invalid-argument" for archives that do not hold what their
 * index says or try to write elsewhere. What a failure leaves of the volume is the caller's to delete.
 */
export async function restoreArchive(archive: RestoredArchive, signal?: AbortSignal): Promise<void> {
  const { file, index, pool, volume } = archive;
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  if (index.optimized) checkBackend(index, pool);
  else await pool.createVolume(volume);
  const bytes = await decompressed(file, either);
  try {
    const { used, total } = await pool.usage();
    const entries = readTar(bytes, { bytes: Math.max(0, total - used), members: maxMembers });
    if (index.optimized) await restoreStreams(archive, entries, either);
    else await restoreTrees(archive, entries, either);
    await checkAll(archive);
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(error);
  } finally {
    stop.abort(new ApiError('canceled', 'The backup was read'));
    bytes.on('error', () => undefined).destroy();
  }
}

function checkBackend({ backend }: BackupIndex, pool: Pool): void {
  if (backend === pool.driver.name && canChainStreams(pool.driver)) return;
  throw new ApiError(
    'failed-precondition',
    `Cannot import the backup: it holds streams of driver "${backend.slice(0, 50)}", and storage pool "${pool.name}" has driver "${pool.driver.name}"; export it again without "--optimized-storage"`,
  );
}

// ---- file trees ----

type Entries = AsyncGenerator<TarEntry>;

async function restoreTrees(archive: RestoredArchive, entries: Entries, signal: AbortSignal): Promise<void> {
  const { index, pool, volume } = archive;
  const names = archiveNames[index.type];
  const parts = new Parts(entries);
  const expected = new Set(index.snapshots);
  let whole = false;
  for (let place = await parts.next(names); place; place = await parts.next(names)) {
    const { snapshot } = place;
    if (snapshot !== undefined && !expected.delete(snapshot))
      throw malformed(`snapshot ${JSON.stringify(snapshot.slice(0, 100))} is not in its index, or comes twice`);
    if (snapshot === undefined && whole) throw malformed('the volume comes twice');
    whole ||= snapshot === undefined;
    const strip = (snapshot === undefined ? names.volume : `${names.snapshots}/x`).split('/').length;
    const unpack = (folder: string): Promise<void> => unpackPart(parts, volume, { folder, strip }, signal);
    if (snapshot === undefined) await pool.withMounted(volume, unpack);
    else await pool.fillSnapshot({ volume, name: snapshot }, unpack);
  }
  const [missing] = expected;
  if (missing !== undefined) throw malformed(`snapshot "${missing}" is missing`);
  if (!whole) throw malformed(`"${names.volume}" is missing`);
}

/** The members of an archive in runs that belong to one tree each. */
class Parts {
  readonly #entries: Entries;
  #ahead: TarEntry | undefined;
  #root = '';

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  /** The next tree: of a snapshot, or of the volume; undefined at the end of the archive. */
  async next(names: { volume: string; snapshots: string }): Promise<{ snapshot: string | undefined } | undefined> {
    for (;;) {
      const entry = this.#ahead ?? (await this.#read());
      if (!entry) return undefined;
      this.#ahead = entry;
      const { name } = entry.member;
      if (isWithin(name, names.volume)) {
        this.#root = names.volume;
        return { snapshot: undefined };
      }
      const snapshot = name.startsWith(`${names.snapshots}/`) ? name.split('/')[2] : undefined;
      if (snapshot !== undefined) {
        this.#root = `${names.snapshots}/${snapshot}`;
        return { snapshot };
      }
      const known = ['backup', names.snapshots, indexName].includes(name);
      if (!known) throw malformed(`"${name.slice(0, 200)}" does not belong into a backup`);
      this.#ahead = undefined;
    }
  }

  /** The members of the tree, with their names in it. */
  async *members(): AsyncGenerator<{ readonly entry: TarEntry; readonly name: string }> {
    for (;;) {
      const entry = this.#ahead ?? (await this.#read());
      this.#ahead = entry;
      if (!entry || !isWithin(entry.member.name, this.#root)) return;
      this.#ahead = undefined;
      yield { entry, name: entry.member.name.slice(this.#root.length + 1) };
    }
  }

  async #read(): Promise<TarEntry | undefined> {
    const { done, value } = await this.#entries.next();
    return done === true ? undefined : value;
  }
}

function isWithin(name: string, folder: string): boolean {
  return name === folder || name.startsWith(`${folder}/`);
}

async function unpackPart(
  parts: Parts,
  volume: Volume,
  { folder, strip }: { readonly folder: string; readonly strip: number },
  signal: AbortSignal,
): Promise<void> {
  const input = new PassThrough({ highWaterMark: 2 ** 18 });
  const args = [...tarArguments(folder), `--strip-components=${String(strip)}`];
  const unpacking = runCommand('tar', args, { input, signal, timeoutMs: dayMs });
  unpacking.catch((error: unknown) => input.destroy(error as Error));
  try {
    for await (const { entry, name } of parts.members()) {
      if (name === '') adoptTop(folder, volume.kind, entry);
      if (name === '' || !isUnpacked(volume.kind, name, entry.member.type)) continue;
      await writeBytes(input, entry.header);
      for await (const part of entry.content()) await writeBytes(input, part);
      await writeBytes(input, Buffer.alloc(paddingOf(entry.member.storedSize)));
    }
    input.end(Buffer.alloc(1024));
  } catch (error) {
    input.destroy();
    await unpacking.catch(() => undefined);
    throw error;
  }
  await unpacking;
}

// ---- streams ----

async function restoreStreams(archive: RestoredArchive, entries: Entries, signal: AbortSignal): Promise<void> {
  const { pool, volume } = archive;
  if (!canChainStreams(pool.driver)) return;
  await pool.driver.receiveChain(volume, streamsOf(archive.index, entries), signal);
}

/** The streams in the order of the archive, which is that of the list in it or, without one, of the index. */
async function* streamsOf(index: BackupIndex, entries: Entries): AsyncGenerator<ReceivedStream> {
  const names = archiveNames[index.type];
  let expected = topTrees(index);
  for await (const entry of entries) {
    const { name, type } = entry.member;
    if (['backup', names.snapshots, indexName].includes(name)) continue;
    if (name === streamHeaderName) {
      expected = parseStreamHeader((await readText(entry)).toString('utf8'), index);
      continue;
    }
    const [tree, ...later] = expected;
    if (type !== 'file' || !tree || name !== streamName(names, tree))
      throw malformed(`"${name.slice(0, 200)}" does not belong into this backup, or not at this place`);
    expected = later;
    yield { ...tree, input: Readable.from(entry.content(), { objectMode: false, highWaterMark: 2 ** 18 }) };
  }
  if (expected[0]) throw malformed(`"${streamName(names, expected[0])}" is missing`);
}

// ---- what came of it ----

async function checkAll({ index, pool, volume }: RestoredArchive): Promise<void> {
  const { driver } = pool;
  await pool.withMounted(volume, async folder => checkTree(folder, volume.kind));
  for (const name of index.snapshots ?? []) {
    const folder = await driver.mountSnapshot({ volume, name });
    try {
      checkTree(folder, volume.kind);
    } finally {
      await driver.unmountSnapshot({ volume, name });
    }
  }
}
