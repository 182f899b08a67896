import { effectiveBoolean } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';
import { poolKeys } from '#storage/config-keys.ts';
import { getPool } from '#server/database/storage-pools.ts';
import type { InstanceServices } from '../instances/instance-services.ts';

/** What a pool's config says of transfers. */
export async function rsyncSettings(
  services: Pick<InstanceServices, 'database'>,
  name: string,
): Promise<{ readonly bandwidth: number | undefined; readonly compress: boolean }> {
  const { config } = await services.database.read(reader => getPool(reader, name));
  return {
    bandwidth: parseSize(config['rsync.bwlimit'] ?? '') || undefined,
    compress: effectiveBoolean(poolKeys, config, 'rsync.compression'),
  };
}
