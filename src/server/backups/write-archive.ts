import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { canChainStreams, type ChainedStream, hasStableViews, type Volume } from '#storage/driver.ts';
import type { Pool } from '#storage/pool.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { renderBackupIndex } from '../backup-config/render-backup-config.ts';
import { renderYaml } from '../backup-config/render-yaml.ts';
import type { StatePaths } from '../paths.ts';
import { archiveNames, indexName, streamHeaderName, streamName } from './archive-names.ts';
import { type ArchivedTree, writeEnd, writeSpooled, writeText, writeTrees } from './tar-writer.ts';

/** What goes into a backup. */
export interface ArchiveContent {
  readonly index: BackupIndex;
  readonly pool: Pool;
  readonly volume: Volume;
  /** Called when the content is fixed: from then on the volume may change again. */
  readonly fixed: () => void;
}

/** Prefix of uploads and other files that go when their work ends, or when the daemon starts. */
export const temporaryPrefix = 'lxd_backup_';

export async function temporaryFile(paths: StatePaths): Promise<string> {
  await mkdir(paths.backups, { recursive: true, mode: 0o700 });
  return path.join(paths.backups, temporaryPrefix + randomBytes(12).toString('hex'));
}

/** Writes an uncompressed archive as LXD 5.0 does, and leaves `output` open. */
export async function writeArchive(
  paths: StatePaths,
  content: ArchiveContent,
  output: Writable,
  signal?: AbortSignal,
): Promise<void> {
  if (content.index.optimized) await writeStreams(paths, content, output, signal);
  else await writeFileTrees(content, output, signal);
}

/** What an index says of how the content is kept. */
export function storageOf(
  pool: Pool,
  optimized: boolean,
): Pick<BackupIndex, 'backend' | 'pool' | 'optimized' | 'optimized_header'> {
  const { driver } = pool;
  const listed = optimized && canChainStreams(driver) && driver.listsStreams;
  return { backend: driver.name, pool: pool.name, optimized, optimized_header: listed };
}

/** Throws "unsupported" unless the pool's driver has streams of its own. */
export function assertStreams(pool: Pool): void {
  if (canChainStreams(pool.driver)) return;
  throw new ApiError(
    'unsupported',
    `Cannot make an optimized backup: storage pool "${pool.name}" of driver "${pool.driver.name}" has no streams; leave out "optimized_storage"`,
  );
}

async function writeFileTrees(
  { index, pool, volume, fixed }: ArchiveContent,
  output: Writable,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { driver } = pool;
  const names = archiveNames[index.type];
  const write = async (folder: string): Promise<void> => {
    await writeText(output, indexName, renderBackupIndex(index));
    const trees: ArchivedTree[] = [];
    for (const name of index.snapshots ?? []) {
      trees.push({ folder: await driver.mountSnapshot({ volume, name }), name: `${names.snapshots}/${name}` });
    }
    await writeTrees(output, [...trees, { folder, name: names.volume }], signal);
    for (const name of index.snapshots ?? []) await driver.unmountSnapshot({ volume, name });
  };
  if (!hasStableViews(driver)) {
    await pool.withMounted(volume, async folder => {
      fixed();
      await write(folder);
    });
    return;
  }
  await using view = await driver.viewVolume(volume);
  fixed();
  await write(view.folder);
}

async function writeStreams(
  paths: StatePaths,
  { index, pool, volume, fixed }: ArchiveContent,
  output: Writable,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { driver } = pool;
  if (!canChainStreams(driver)) return assertStreams(pool);
  const names = archiveNames[index.type];
  const spool = await temporaryFile(paths);
  const streams = await driver.openChain(volume, index.snapshots ?? [], signal);
  await using _streams = streams;
  fixed();
  await writeText(output, indexName, renderBackupIndex(index));
  if (index.optimized_header) await writeText(output, streamHeaderName, renderStreamHeader(streams.members));
  for (const stream of streams.members) {
    await writeSpooled(output, streamName(names, stream), spool, into => stream.write(into));
  }
  await writeEnd(output);
}

function renderStreamHeader(streams: readonly ChainedStream[]): string {
  return renderYaml({
    subvolumes: streams.map(({ snapshot, path, readonly, id }) => ({
      path,
      snapshot: snapshot ?? '',
      readonly,
      uuid: id,
    })),
  });
}
