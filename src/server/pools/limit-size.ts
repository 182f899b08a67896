import { ApiError } from '#api/error.ts';
import { parseSize } from '#base/units.ts';
import type { Volume } from '#storage/driver.ts';
import { saveWarning } from '../database/warnings.ts';
import type { Services } from '../services.ts';
import { poolPath } from './pools.ts';

type Uses = Pick<Services, 'pools' | 'database'>;

/**
 * Applies the `size` of a volume; none lifts the limit. A pool that cannot enforce sizes gets a warning for it, as stock
 * clients and profiles set them whatever the driver.
 */
export async function limitSize(
  { pools, database }: Uses,
  pool: string,
  volume: Volume,
  size: string | undefined,
): Promise<void> {
  try {
    await pools.get(pool).setQuota(volume, (size && parseSize(size)) || undefined);
  } catch (error) {
    if (!ApiError.is(error, 'unsupported')) throw error;
    const warning = { project: '', entityUrl: poolPath(pool), type: 'Size of storage volumes not enforced' };
    await database.write(tx => saveWarning(tx, { ...warning, severity: 'low', message: error.message }));
  }
}
