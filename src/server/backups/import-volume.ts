import { type ConfigMap, zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { deleteVolumeRow, insertVolume, updateVolume } from '../database/storage-volumes.ts';
import { insertVolumeSnapshot } from '../database/volume-snapshots.ts';
import { checkedConfig, configureVolume, portableConfig } from '../volumes/volume-config.ts';
import {
  type ActionContext,
  checkDescription,
  checkVolumeName,
  type CustomAt,
  holdVolume,
  onDisk,
  tell,
  type VolumeServices,
} from '../volumes/volume.ts';
import { checkProject } from '../projects/check-project.ts';
import { restoreArchive } from './read-archive.ts';
import { readIndex } from './read-index.ts';

/** A custom volume whose name is taken and whose content is not there yet. */
export interface BegunVolume {
  readonly at: CustomAt;
  finish(context: ActionContext): Promise<void>;
}

/** Takes the name of a custom volume that comes from a backup. */
export async function beginVolumeImport(
  services: VolumeServices,
  where: Pick<CustomAt, 'pool' | 'project'> & { readonly name?: string | undefined; readonly file: string },
): Promise<BegunVolume> {
  const index = await readIndex(where.file);
  const volume = index.config?.volume;
  if (index.type !== 'custom' || !volume)
    throw new ApiError('invalid-argument', 'Cannot import a custom volume: the backup holds an instance');
  if (volume.content_type !== 'filesystem')
    throw new ApiError('invalid-argument', 'Cannot import the backup: only volumes with file systems are supported');
  const at = { pool: where.pool, project: where.project, name: where.name || volume.name };
  checkVolumeName(at.name);
  checkDescription(volume.description);
  const driver = services.pools.get(at.pool).driver.name;
  const config = checkedConfig(at.name, portableConfig(withoutVolatile(volume.config), driver), {}, driver);
  const lock = await holdVolume(services, at, 'import');
  try {
    const { id } = await services.database.write(async tx => {
      const inserted = await insertVolume(tx, {
        ...at,
        type: 'custom',
        description: volume.description,
        createdAt: new Date().toISOString(),
        ready: false,
        config,
      });
      await checkProject(tx, at.project);
      return inserted;
    });
    await faultPoint('volume-import.after-row');
    return {
      at,
      async finish(context) {
        try {
          await fill(services, { at, id, index, file: where.file, config }, context);
        } finally {
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface Filling {
  readonly at: CustomAt;
  readonly id: number;
  readonly index: BackupIndex;
  readonly file: string;
  readonly config: ConfigMap;
}

async function fill(
  services: VolumeServices,
  { at, id, index, file, config }: Filling,
  context: ActionContext,
): Promise<void> {
  await using revert = new Revert(services.log);
  revert.add('inserting the row', () => services.database.write(tx => deleteVolumeRow(tx, id)));
  const pool = services.pools.get(at.pool);
  revert.add('restoring the volume', () => pool.deleteVolume(onDisk(at)));
  await restoreArchive({ file, index, pool, volume: onDisk(at) }, context.signal);
  await configureVolume(services, at, config);
  await faultPoint('volume-import.after-volume');
  const described = index.config?.volume_snapshots ?? [];
  await services.database.write(async tx => {
    for (const { name, description, config, created_at, expires_at } of described) {
      if (!index.snapshots?.includes(name)) continue;
      const createdAt = created_at === zeroTime ? new Date().toISOString() : created_at;
      const row = { volumeId: id, name, description, createdAt, expiresAt: expires_at, ready: true };
      await insertVolumeSnapshot(tx, { ...row, config: checkedConfig(at.name, withoutVolatile(config)) });
    }
    await updateVolume(tx, id, { ready: true });
  });
  revert.commit();
  tell(services, 'storage-volume-created', at, context, { context: { type: 'custom' } });
}

function withoutVolatile(config: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('volatile.')));
}
