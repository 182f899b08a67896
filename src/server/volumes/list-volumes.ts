import { type ConfigMap, zeroTime } from '#api/common.ts';
import { ApiError, notFound } from '#api/error.ts';
import type { StorageVolume, StorageVolumeSnapshot, StorageVolumeState } from '#api/storage.ts';
import type { Reader } from '../database/database.ts';
import { listSnapshotRows } from '../database/snapshots.ts';
import { getPool } from '../database/storage-pools.ts';
import { getVolume, listVolumeRecords, type VolumeRecord } from '../database/storage-volumes.ts';
import { listVolumeSnapshots } from '../database/volume-snapshots.ts';
import { isUserOf, listVolumeUsers, type VolumeUser, volumeProject } from '../database/volume-users.ts';
import { containerId, customVolumeName } from '../paths.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'database' | 'pools'>;

export const volumeTypes = ['container', 'virtual-machine', 'image', 'custom'] as const;
export type AnyType = (typeof volumeTypes)[number];

/** A volume by what a client names; `project` is the request's. */
export interface NamedVolume {
  readonly pool: string;
  readonly project: string;
  readonly type: AnyType;
  readonly name: string;
}

/**
 * Volumes in a pool with their snapshots, as VOLUME/SNAPSHOT: those of a project, or of all when it is undefined. Images
 * belong to no project.
 */
export async function listVolumes(
  services: Uses,
  pool: string,
  project: string | undefined,
): Promise<readonly StorageVolume[]> {
  const volumes = await services.database.read(async reader => {
    await getPool(reader, pool);
    const owner = project === undefined ? undefined : await volumeProject(reader, project);
    const records = (await listVolumeRecords(reader, { pool })).filter(
      record => project === undefined || record.project === (record.type === 'custom' ? owner : project),
    );
    return await withSnapshots(reader, records);
  });
  return [...volumes, ...(await imageVolumes(services, pool, project ?? 'default'))];
}

export async function readVolume(services: Uses, at: NamedVolume): Promise<StorageVolume> {
  if (at.type === 'image') {
    const images = await imageVolumes(services, at.pool, at.project);
    const image = images.find(({ name }) => name === at.name);
    if (!image) throw notFound('Storage volume', `image/${at.name}`);
    return image;
  }
  return await services.database.read(async reader => {
    const record = await recordAt(reader, at);
    return viewVolume(record, await listVolumeUsers(reader));
  });
}

/** Throws "not-found", as for every virtual machine's. */
export async function recordAt(reader: Reader, at: NamedVolume): Promise<VolumeRecord> {
  const { type } = at;
  await getPool(reader, at.pool);
  if (type !== 'custom' && type !== 'container') throw notFound('Storage volume', `${type}/${at.name}`);
  const project = type === 'custom' ? await volumeProject(reader, at.project) : at.project;
  return await getVolume(reader, { ...at, type, project });
}

/** Snapshots of a volume, oldest first. */
export async function listSnapshots(services: Uses, at: NamedVolume): Promise<readonly StorageVolumeSnapshot[]> {
  if (at.type === 'image') return [];
  return await services.database.read(async reader => {
    const record = await recordAt(reader, at);
    if (record.type === 'custom') {
      const rows = await listVolumeSnapshots(reader, record.id);
      return rows.filter(({ ready }) => ready).map(row => viewSnapshot(row));
    }
    const instance = await reader.get<{ id: number }>(
      'SELECT i.id FROM instances i JOIN projects p ON p.id = i.project_id WHERE p.name = ? AND i.name = ?',
      [record.project, record.name],
    );
    const rows = instance ? await listSnapshotRows(reader, instance.id) : [];
    return rows.filter(({ ready }) => ready).map(row => viewSnapshot({ ...row, config: {} }));
  });
}

export async function readSnapshot(services: Uses, at: NamedVolume, name: string): Promise<StorageVolumeSnapshot> {
  const snapshot = (await listSnapshots(services, at)).find(entry => entry.name === name);
  if (!snapshot) throw notFound('Snapshot', `${at.name}/${name}`);
  return snapshot;
}

/** Bytes in use; throws "unsupported" where the driver does not know without reading everything. */
export async function volumeState(services: Uses, at: NamedVolume): Promise<StorageVolumeState> {
  const record = await services.database.read(reader => recordAt(reader, at));
  const pool = services.pools.get(at.pool);
  const usage = await pool.volumeUsage(
    record.type === 'custom'
      ? { kind: 'custom', name: customVolumeName(record.project, record.name) }
      : { kind: 'container', name: containerId(record.project, record.name) },
  );
  if (!usage)
    throw new ApiError(
      'unsupported',
      `Not supported: storage pool "${at.pool}" does not count what a volume uses; set "size" on one where it can`,
    );
  return { usage: { used: usage.used, total: usage.total } };
}

async function withSnapshots(reader: Reader, records: readonly VolumeRecord[]): Promise<readonly StorageVolume[]> {
  const users = await listVolumeUsers(reader);
  const custom = await listVolumeSnapshots(reader);
  const instances = await snapshotsOfInstances(reader);
  return records.flatMap(record => {
    const volume = viewVolume(record, users);
    const snapshots =
      record.type === 'custom'
        ? custom.filter(({ volumeId, ready }) => ready && volumeId === record.id)
        : (instances.get(`${record.project}/${record.name}`) ?? []);
    const names = [...snapshots].sort((a, b) => (a.name < b.name ? -1 : 1));
    return [
      volume,
      ...names.map(({ name, description, createdAt, config }) => ({
        ...volume,
        name: `${record.name}/${name}`,
        description,
        created_at: createdAt,
        config: record.type === 'custom' ? userConfig(config) : {},
      })),
    ];
  });
}

async function snapshotsOfInstances(
  reader: Reader,
): Promise<
  ReadonlyMap<string, readonly { name: string; description: string; createdAt: string; config: ConfigMap }[]>
> {
  const rows = await reader.all<{ owner: string; name: string; description: string; createdAt: string }>(
    `SELECT p.name || '/' || i.name AS owner, s.name, s.description, s.creation_date AS createdAt
     FROM instances_snapshots s JOIN instances i ON i.id = s.instance_id JOIN projects p ON p.id = i.project_id
     WHERE s.ready = 1`,
  );
  const found = new Map<string, { name: string; description: string; createdAt: string; config: ConfigMap }[]>();
  for (const { owner, ...row } of rows) found.set(owner, [...(found.get(owner) ?? []), { ...row, config: {} }]);
  return found;
}

function viewVolume(record: VolumeRecord, users: readonly VolumeUser[]): StorageVolume {
  const { name, type, description, project } = record;
  const own = [`/1.0/instances/${encodeURIComponent(name)}${queryOf(project)}`];
  return {
    name,
    type,
    content_type: 'filesystem',
    description,
    config: userConfig(record.config),
    created_at: record.createdAt,
    location: 'none',
    project,
    used_by: type === 'container' ? own : users.filter(user => isUserOf(user, record)).map(urlOf),
  };
}

/** No row tells which pools an image was unpacked in; a pool that is not mounted shows none. */
async function imageVolumes({ pools }: Uses, name: string, project: string): Promise<readonly StorageVolume[]> {
  const pool = pools.list().find(pool => pool.name === name);
  const volumes = (await pool?.listVolumes()) ?? [];
  return volumes
    .filter(volume => volume.kind === 'image' && /^[0-9a-f]+$/.test(volume.name))
    .map(volume => ({
      name: volume.name,
      type: 'image',
      content_type: 'filesystem',
      description: '',
      config: {},
      created_at: zeroTime,
      location: 'none',
      project,
      used_by: [`/1.0/images/${volume.name}${queryOf(project)}`],
    }));
}

function viewSnapshot(row: {
  readonly name: string;
  readonly description: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly config: ConfigMap;
}): StorageVolumeSnapshot {
  return {
    name: row.name,
    description: row.description,
    content_type: 'filesystem',
    created_at: row.createdAt,
    // LXD says null of volumes where it says a zero time of instances
    expires_at: row.expiresAt === zeroTime ? null : row.expiresAt,
    config: userConfig(row.config),
  };
}

/** Without the daemon's notes of work under way. */
function userConfig(config: ConfigMap): ConfigMap {
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => !/^volatile\.(rename|refresh|snapshot|trash)\./.test(key)),
  );
}

function urlOf({ kind, name, project }: VolumeUser): string {
  if (kind === 'server') return '/1.0';
  return `/1.0/${kind}/${encodeURIComponent(name)}${queryOf(project)}`;
}

function queryOf(project: string): string {
  return project === 'default' ? '' : `?project=${encodeURIComponent(project)}`;
}
