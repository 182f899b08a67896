import type { StoragePoolResources } from '#api/storage.ts';
import type { Services } from '../services.ts';

export async function poolResources(services: Pick<Services, 'pools'>, name: string): Promise<StoragePoolResources> {
  const usage = await services.pools.get(name).usage();
  return {
    space: { used: usage.used, total: usage.total },
    inodes: { used: usage.inodesUsed, total: usage.inodesTotal },
  };
}
