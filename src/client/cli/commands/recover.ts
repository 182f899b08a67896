import type { RecoverPool, RecoverValidation, SkippedVolume } from '#api/recover.ts';
import type { StoragePool } from '#api/storage.ts';
import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import type { Session } from '../session.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'recover',
    summary: 'Bring instances and custom volumes back that the database has lost',
    details:
      'Looks through storage pools, also through ones that the server does not know any more, for instances by the backup.yaml beside their files. Nothing is changed before you agree.',
    examples: [['recover', 'Ask which pools to look through, and what to bring back.']],
    run: recover,
  }),
];

async function recover(session: Session): Promise<void> {
  const client = await session.client('local');
  const existing = await client.storagePools.list();
  session.line(
    existing.length > 0
      ? 'This server currently has the following storage pools:'
      : 'This server has no storage pools.',
  );
  for (const pool of existing) session.line(` - ${described(pool)}`);
  const unknown: RecoverPool[] = [];
  while (await agrees(session, 'Would you like to recover another storage pool?', false))
    unknown.push(await askPool(session));
  session.line('The recovery process will be scanning the following storage pools:');
  for (const pool of existing) session.line(` - EXISTING: ${quoted(pool)}`);
  for (const pool of unknown) session.line(` - UNKNOWN: ${quoted(pool)}`);
  if (!(await agrees(session, 'Would you like to continue with scanning for lost volumes?', true))) return;
  const pools = [...existing.map(({ name, driver, config }) => ({ name, driver, config })), ...unknown];
  const found = await scan(session, client, pools);
  tellSkipped(session, found.SkippedVolumes);
  if (!found.UnknownVolumes) {
    session.line('No unknown volumes found. Nothing to do.');
    return;
  }
  session.line('The following unknown volumes have been found:');
  for (const { name, pool, project, type, snapshotCount } of found.UnknownVolumes) {
    const snapshots = `includes ${String(snapshotCount)} snapshots`;
    session.line(
      ` - ${type === 'volume' ? 'Volume' : 'Container'} "${name}" on pool "${pool}" in project "${project}" (${snapshots})`,
    );
  }
  if (!(await agrees(session, 'Would you like those to be recovered?', false))) return;
  session.line('Starting recovery...');
  const { metadata } = await client.transport.call<Pick<RecoverValidation, 'SkippedVolumes'>>(
    'POST',
    '/internal/recover/import',
    { body: { Pools: pools } },
  );
  tellSkipped(session, metadata.SkippedVolumes ?? null);
}

/** Asks again while something is missing that has to be made first. */
async function scan(session: Session, client: Client, pools: readonly RecoverPool[]): Promise<RecoverValidation> {
  for (;;) {
    session.line('Scanning for unknown volumes...');
    const { metadata } = await client.transport.call<RecoverValidation>('POST', '/internal/recover/validate', {
      body: { Pools: pools },
    });
    if (!metadata.DependencyErrors) return metadata;
    session.line('You are currently missing the following:');
    for (const missing of metadata.DependencyErrors) session.line(` - ${missing}`);
    const answer = await session.ask('Please create those missing entries and then hit ENTER, or type "no" to leave: ');
    if (answer === 'no') throw new ApiError('canceled', 'Recovery was given up: nothing was changed');
    if (!session.streams.stdin.readable)
      throw new ApiError('failed-precondition', 'Cannot recover before what is missing is there again');
  }
}

async function askPool(session: Session): Promise<RecoverPool> {
  const name = await session.ask('Name of the storage pool: ');
  const driver = await session.ask('Name of the storage backend (btrfs, dir): ');
  const source = await session.ask('Source of the storage pool (block device, path; empty for the usual place): ');
  const pairs: string[] = [];
  for (;;) {
    const pair = await session.ask('Additional storage pool configuration property (KEY=VALUE, empty when done): ');
    if (pair === '') break;
    pairs.push(pair);
  }
  return { name, driver, config: { ...parsePairs(pairs), ...(source === '' ? {} : { source }) } };
}

async function agrees(session: Session, question: string, otherwise: boolean): Promise<boolean> {
  for (;;) {
    const fallback = otherwise ? 'yes' : 'no';
    const answer = (await session.ask(`${question} (yes/no) [default=${fallback}]: `, fallback)).toLowerCase();
    if (['yes', 'y'].includes(answer)) return true;
    if (['no', 'n'].includes(answer)) return false;
    session.note('Answer yes or no');
  }
}

function tellSkipped(session: Session, skipped: readonly SkippedVolume[] | null): void {
  for (const { pool, name, reason } of skipped ?? [])
    session.note(`Passed over "${name}" on pool "${pool}": ${reason}`);
}

function described({ name, driver, config }: StoragePool): string {
  return `${name} (backend="${driver}", source="${config['source'] ?? ''}")`;
}

function quoted({ name, driver, config }: RecoverPool): string {
  return `"${name}" (backend="${driver ?? ''}", source="${config?.['source'] ?? ''}")`;
}
