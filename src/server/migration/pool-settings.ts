import { effectiveBoolean } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';
import { poolKeys } from '#storage/config-keys.ts';
import { getPool } from '#server/database/storage-pools.ts';
import type { InstanceServices } from '../instances/instance-services.ts';

/** What a pool's config says of transfers by rsync. */
export async function rsyncSettings(
  services: Pick<InstanceServices, 'database'>,
  name: string,
): Promise<{ readonly bandwidth: string | undefined; readonly compress: boolean }> {
  const { config } = await services.database.read(reader => getPool(reader, name));
  const bytes = parseSize(config['rsync.bwlimit'] ?? '');
  return {
    // rsync takes units of 1024 bytes a second
    bandwidth: bytes ? String(Math.max(1, Math.round(bytes / 1024))) : undefined,
    compress: effectiveBoolean(poolKeys, config, 'rsync.compression'),
  };
}
