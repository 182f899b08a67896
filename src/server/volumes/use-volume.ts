import { ApiError } from '#api/error.ts';
import { alignIds } from '#storage/align-ids.ts';
import type { Pool } from '#storage/pool.ts';
import type { Reader } from '../database/database.ts';
import { getVolume, patchVolumeConfig, type VolumeRecord } from '../database/storage-volumes.ts';
import { instancesUsingVolume, volumeProject } from '../database/volume-users.ts';
import type { Services } from '../services.ts';
import { assertNotServers, type CustomAt, onDisk } from './volume.ts';
import { isShifted, isUnmapped } from './volume-config.ts';

type Uses = Pick<Services, 'database' | 'pools'>;

/** A disk device of an instance that takes a custom volume. */
export interface VolumeUse {
  readonly project: string;
  readonly instance: string;
  readonly device: string;
  readonly pool: string;
  readonly volume: string;
}

/** Devices that have a pool's volume mounted: a release comes without a take when another device could not start. */
const holders = new WeakMap<Pool, Set<string>>();

/**
 * Mounts a volume for an instance. Ids of its files are those of the instance, to be shown through an id-mapped mount;
 * with security.unmapped they are the host's. Instances with different maps may share a volume only when it is
 * security.shifted, as a sign that their owners want that, and the file system has id-mapped mounts.
 */
export async function takeVolume(
  services: Uses,
  use: VolumeUse,
): Promise<{ readonly folder: string; readonly idmapped: boolean }> {
  const pool = services.pools.get(use.pool);
  const { record, ids } = await services.database.write(async tx => {
    const project = await volumeProject(tx, use.project);
    const record = await getVolume(tx, { pool: use.pool, project, type: 'custom', name: use.volume });
    if (!record.ready) throw new ApiError('busy', `Storage volume "${record.name}" is being made or deleted`);
    await assertNotServers(tx, record, 'cannot be used by instances');
    if (isUnmapped(record.config)) return { record, ids: undefined };
    const ids = await idmapText(tx, use);
    if (!isShifted(record.config) || !pool.supportsIdmap) await assertSameIds(tx, record, use, ids);
    await patchVolumeConfig(tx, record.id, { 'volatile.idmap.last': '[]', 'volatile.idmap.next': ids });
    return { record, ids };
  });
  const folder = await mountOnce(pool, record, keyOf(use));
  if (ids === undefined) return { folder, idmapped: false };
  const hostIds = await alignIds(pool, onDisk(record), '.', largestRange(ids));
  return { folder, idmapped: !hostIds };
}

/** Mounts a volume for as long as the server keeps files of its own in it; may be called twice. */
export async function holdForServer({ pools }: Pick<Uses, 'pools'>, at: CustomAt, purpose: string): Promise<string> {
  const pool = pools.get(at.pool);
  return await mountOnce(pool, at, `server ${purpose}`);
}

/** Succeeds when it is not held. */
export async function releaseForServer({ pools }: Pick<Uses, 'pools'>, at: CustomAt, purpose: string): Promise<void> {
  const pool = pools.get(at.pool);
  if (holdersOf(pool).delete(`server ${purpose}`)) await pool.unmountVolume(onDisk(at));
}

/** Mounts a volume unless the holder has it mounted. */
async function mountOnce(pool: Pool, at: CustomAt, holder: string): Promise<string> {
  const held = holdersOf(pool);
  const folder = await pool.mountVolume(onDisk(at));
  if (held.has(holder)) await pool.unmountVolume(onDisk(at));
  held.add(holder);
  return folder;
}

/** Succeeds when the device does not hold the volume. */
export async function releaseVolume(services: Uses, use: VolumeUse): Promise<void> {
  const pool = services.pools.list().find(pool => pool.name === use.pool);
  if (!pool || !holdersOf(pool).delete(keyOf(use))) return;
  const project = await services.database.read(reader => volumeProject(reader, use.project));
  await pool.unmountVolume(onDisk({ project, name: use.volume }));
}

async function assertSameIds(reader: Reader, volume: VolumeRecord, use: VolumeUse, own: string): Promise<void> {
  for (const { project, name } of await instancesUsingVolume(reader, volume)) {
    if (project === use.project && name === use.instance) continue;
    if ((await idmapText(reader, { project, instance: name })) === own) continue;
    throw new ApiError(
      'failed-precondition',
      `Idmaps of container "${use.instance}" and storage volume "${volume.name}" are not identical: ` +
        `instance "${name}" uses it with other ids; set security.shifted=true on the volume to share it`,
    );
  }
}

/** The map that an instance has now or will have at its next start, as it is kept. */
async function idmapText(
  reader: Reader,
  { project, instance }: Pick<VolumeUse, 'project' | 'instance'>,
): Promise<string> {
  const row = await reader.get<{ value: string }>(
    `SELECT c.value FROM instances_config c JOIN instances i ON i.id = c.instance_id
     JOIN projects p ON p.id = i.project_id
     WHERE p.name = ? AND i.name = ? AND c.key = 'volatile.idmap.next'`,
    [project, instance],
  );
  return row?.value ?? '[]';
}

/** Of a map as it is kept: all of it but for single ids that raw.idmap puts elsewhere. */
function largestRange(text: string): { readonly hostBase: number; readonly size: number } | undefined {
  const entries = JSON.parse(text) as { readonly Hostid: number; readonly Nsid: number; readonly Maprange: number }[];
  const largest = entries.sort((a, b) => b.Maprange - a.Maprange)[0];
  return largest && { hostBase: largest.Hostid - largest.Nsid, size: largest.Nsid + largest.Maprange };
}

function keyOf({ project, instance, device }: VolumeUse): string {
  return `${project}/${instance}/${device}`;
}

function holdersOf(pool: Pool): Set<string> {
  const found = holders.get(pool) ?? new Set();
  holders.set(pool, found);
  return found;
}
