import { zeroTime } from '#api/common.ts';
import { notFound } from '#api/error.ts';
import type { StorageVolume } from '#api/storage.ts';
import { getPool } from '../database/storage-pools.ts';
import { listVolumeRows, type VolumeRow } from '../database/storage-volumes.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'database' | 'pools'>;

/** Volumes of a project in a pool, with those of images, which belong to none. */
export async function listVolumes(services: Uses, pool: string, project: string): Promise<readonly StorageVolume[]> {
  const rows = await services.database.read(async reader => {
    await getPool(reader, pool);
    return await listVolumeRows(reader, pool, project);
  });
  return [...rows.map(row => volumeOf(row, project)), ...(await imageVolumes(services, pool, project))];
}

export async function getVolume(
  services: Uses,
  at: { readonly pool: string; readonly project: string; readonly type: string; readonly name: string },
): Promise<StorageVolume> {
  const volumes = await listVolumes(services, at.pool, at.project);
  const volume = volumes.find(({ type, name }) => type === at.type && name === at.name);
  if (!volume) throw notFound('Storage volume', `${at.type}/${at.name}`);
  return volume;
}

/** No row tells which pools an image was unpacked in; a pool that is not mounted shows none. */
async function imageVolumes({ pools }: Uses, name: string, project: string): Promise<readonly StorageVolume[]> {
  const pool = pools.list().find(pool => pool.name === name);
  const volumes = (await pool?.listVolumes()) ?? [];
  return volumes
    .filter(volume => volume.kind === 'image' && /^[0-9a-f]+$/.test(volume.name))
    .map(volume => ({
      ...common(project),
      name: volume.name,
      type: 'image',
      description: '',
      config: {},
      created_at: zeroTime,
      used_by: [`/1.0/images/${volume.name}${queryOf(project)}`],
    }));
}

function volumeOf(row: VolumeRow, project: string): StorageVolume {
  const [instance = ''] = row.name.split('/');
  const user = `/1.0/instances/${encodeURIComponent(instance)}${queryOf(project)}`;
  return { ...common(project), ...row, used_by: row.type === 'container' ? [user] : [] };
}

function common(project: string): Pick<StorageVolume, 'content_type' | 'location' | 'project'> {
  return { content_type: 'filesystem', location: 'none', project };
}

function queryOf(project: string): string {
  return project === 'default' ? '' : `?project=${encodeURIComponent(project)}`;
}
