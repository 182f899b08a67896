import { closeSync, constants, openSync } from 'node:fs';
import { ApiError } from '#api/error.ts';
import type { SkippedVolume } from '#api/recover.ts';
import { instanceNameProblem, objectNameProblem } from '#base/names.ts';
import type { Volume } from '#storage/driver.ts';
import type { Pool } from '#storage/pool.ts';
import { type BackupConfig, maxBackupConfigBytes } from '../backup-config/backup-config.ts';
import { parseBackupConfig } from '../backup-config/parse-backup-config.ts';
import type { Reader } from '../database/database.ts';
import { findInstance } from '../database/instances.ts';
import { findVolume } from '../database/storage-volumes.ts';
import { findProfile } from '../database/profiles.ts';
import { isTrashVolumeName } from '../paths.ts';
import { readBeneath } from '../images/beneath.ts';
import { backupFileName } from '../instances/backup-file.ts';
import { rootDevice } from '../profiles/expand-config.ts';
import type { Services } from '../services.ts';

/** The root volume of an instance that no row tells of. */
export interface LostInstance {
  readonly name: string;
  readonly project: string;
  readonly pool: string;
  readonly volume: Volume;
  readonly config: BackupConfig;
  /** names of those that are both described and there, oldest first */
  readonly snapshots: readonly string[];
}

/** A custom volume that no row tells of. Its config is lost, its content is not. */
export interface LostCustomVolume {
  readonly name: string;
  readonly project: string;
  readonly pool: string;
  /** names, oldest first */
  readonly snapshots: readonly string[];
}

export interface Findings {
  readonly lost: readonly LostInstance[];
  readonly custom: readonly LostCustomVolume[];
  readonly skipped: readonly SkippedVolume[];
}

/** Looks through mounted pools for volumes of instances, and custom ones, that the database does not know. */
export async function findLost(services: Pick<Services, 'database'>, pools: readonly Pool[]): Promise<Findings> {
  const lost: LostInstance[] = [];
  const custom: LostCustomVolume[] = [];
  const skipped: SkippedVolume[] = [];
  for (const pool of pools) {
    for (const volume of await pool.listVolumes()) {
      if (isTrashVolumeName(volume.name)) {
        skipped.push({ pool: pool.name, name: volume.name, reason: 'it is in the trash: see "lxd-like trash list"' });
        continue;
      }
      if (volume.kind === 'custom') {
        const found = await findCustom(services, pool, volume);
        if (found && 'reason' in found) skipped.push(found);
        else if (found) custom.push(found);
      }
      if (volume.kind !== 'container') continue;
      const owner = ownerOf(volume.name);
      if (owner && (await services.database.read(reader => findInstance(reader, owner.project, owner.name)))) continue;
      try {
        if (!owner) throw new ApiError('invalid-argument', 'its name is not that of an instance');
        lost.push(await describe(pool, volume, owner));
      } catch (error) {
        skipped.push({ pool: pool.name, name: volume.name, reason: reasonOf(error) });
      }
    }
  }
  return { lost, custom, skipped };
}

/** What the descriptions name that is not here. Each is a text such as `Profile "web" in project "default"`. */
export async function missingFor(
  reader: Reader,
  { lost, custom }: Pick<Findings, 'lost' | 'custom'>,
): Promise<readonly string[]> {
  const missing = new Set<string>();
  for (const { project } of custom) {
    if (!(await reader.get<{ id: number }>('SELECT id FROM projects WHERE name = ?', [project])))
      missing.add(`Project "${project}"`);
  }
  for (const { project, config } of lost) {
    const found = await reader.get<{ id: number }>('SELECT id FROM projects WHERE name = ?', [project]);
    if (!found) {
      missing.add(`Project "${project}"`);
      continue;
    }
    for (const name of config.container?.profiles ?? []) {
      if (!(await findProfile(reader, project, name))) missing.add(`Profile "${name}" in project "${project}"`);
    }
    for (const options of Object.values(config.container?.expanded_devices ?? {})) {
      const network = options['type'] === 'nic' ? options['network'] : undefined;
      if (!network) continue;
      if (!(await reader.get<{ id: number }>('SELECT id FROM networks WHERE name = ?', [network])))
        missing.add(`Network "${network}" in project "${project}"`);
    }
  }
  return [...missing];
}

/** Undefined for a volume that has its row. */
async function findCustom(
  services: Pick<Services, 'database'>,
  pool: Pool,
  volume: Volume,
): Promise<LostCustomVolume | SkippedVolume | undefined> {
  const cut = volume.name.indexOf('_'); // names of projects hold no underscore
  const at = { pool: pool.name, project: volume.name.slice(0, cut), name: volume.name.slice(cut + 1) };
  if (cut < 1 || objectNameProblem(at.name) !== undefined)
    return { pool: pool.name, name: volume.name, reason: 'its name is not PROJECT_VOLUME' };
  if (await services.database.read(reader => findVolume(reader, { ...at, type: 'custom' }))) return undefined;
  return { ...at, snapshots: await pool.listSnapshots(volume) };
}

/** Project and name of an instance by its volume's name; names of instances hold no underscore. */
function ownerOf(volume: string): { readonly project: string; readonly name: string } | undefined {
  const cut = volume.lastIndexOf('_');
  const name = volume.slice(cut + 1);
  if (instanceNameProblem(name) !== undefined) return undefined;
  return { project: cut < 0 ? 'default' : volume.slice(0, cut), name };
}

async function describe(
  pool: Pool,
  volume: Volume,
  { project, name }: { readonly project: string; readonly name: string },
): Promise<LostInstance> {
  const config = await pool.withMounted(volume, async folder => readDescription(folder));
  const { container } = config;
  if (!container) throw new ApiError('invalid-argument', `its ${backupFileName} does not describe an instance`);
  if (container.name !== name || container.project !== project)
    throw new ApiError(
      'invalid-argument',
      `its ${backupFileName} describes instance "${container.name}" in project "${container.project}"`,
    );
  const root = rootDevice(container.expanded_devices)?.[1]['pool'];
  if (root !== undefined && root !== pool.name)
    throw new ApiError('invalid-argument', `its root disk was in a storage pool "${root}": recover it under this name`);
  const there = new Set(await pool.listSnapshots(volume));
  const described = (config.snapshots ?? []).map(snapshot => snapshot.name);
  return { name, project, pool: pool.name, volume, config, snapshots: described.filter(entry => there.has(entry)) };
}

function readDescription(folder: string): BackupConfig {
  const directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const text = readBeneath(directory, backupFileName, maxBackupConfigBytes);
    if (!text) throw new ApiError('not-found', `it has no ${backupFileName}`);
    return parseBackupConfig(text.toString('utf8'));
  } finally {
    closeSync(directory);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
