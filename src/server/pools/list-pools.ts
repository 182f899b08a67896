import type { StoragePool } from '#api/storage.ts';
import { getPool, listPools as listRows, type PoolRow, poolUsers } from '../database/storage-pools.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'database' | 'pools'>;

export async function listPools(services: Uses): Promise<readonly StoragePool[]> {
  const { rows, users } = await services.database.read(async reader => ({
    rows: await listRows(reader),
    users: await poolUsers(reader),
  }));
  return await Promise.all(rows.map(row => poolOf(services, row, users.get(row.name) ?? [])));
}

export async function findPool(services: Uses, name: string): Promise<StoragePool> {
  const { row, users } = await services.database.read(async reader => ({
    row: await getPool(reader, name),
    users: (await poolUsers(reader)).get(name) ?? [],
  }));
  return await poolOf(services, row, users);
}

async function poolOf(services: Uses, row: PoolRow, users: readonly string[]): Promise<StoragePool> {
  const { name, driver, description, config } = row;
  const images = await imageUsers(services, name);
  return {
    name,
    driver,
    description,
    config,
    status: statusOf(services, row),
    locations: ['none'],
    used_by: [...users, ...images].sort(),
  };
}

function statusOf({ pools }: Uses, row: PoolRow): StoragePool['status'] {
  if (!row.ready) return 'Pending';
  return pools.list().some(pool => pool.name === row.name) ? 'Created' : 'Unavailable';
}

async function imageUsers({ pools }: Uses, name: string): Promise<readonly string[]> {
  const pool = pools.list().find(pool => pool.name === name);
  const volumes = (await pool?.listVolumes()) ?? [];
  return volumes
    .filter(volume => volume.kind === 'image' && /^[0-9a-f]+$/.test(volume.name))
    .map(volume => `/1.0/images/${volume.name}`);
}
