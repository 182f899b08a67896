import { alreadyExists } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import type { Reader } from '../database/database.ts';
import {
  deleteVolumeRow,
  findVolume,
  insertVolume,
  patchVolumeConfig,
  type VolumeRecord,
} from '../database/storage-volumes.ts';
import { deleteTrashRow, setTrashState, type TrashContent, type TrashRecord, untrashMark } from '../database/trash.ts';
import { insertVolumeSnapshot } from '../database/volume-snapshots.ts';
import { trashVolumeName } from '../paths.ts';
import { checkProject } from '../projects/check-project.ts';
import { type ActionContext, checkVolumeName, holdVolume, onDisk, tell, type VolumeServices } from './volume.ts';

type TrashedItem = TrashRecord & Extract<TrashContent, { readonly type: 'volume' }>;

/** Throws "already-exists" or "invalid-argument" for a name that it cannot have. */
export async function checkUntrash(
  reader: Reader,
  { pool, project }: Pick<TrashedItem, 'pool' | 'project'>,
  name: string,
): Promise<void> {
  checkVolumeName(name);
  if (await findVolume(reader, { pool, project, name, type: 'custom' })) throw alreadyExists('Storage volume', name);
}

/** Puts a volume with its snapshots back, under a name that is free; the caller holds the lock of the trash. */
export async function untrashVolume(
  services: VolumeServices,
  { uuid, pool, project, content }: TrashedItem,
  name: string,
  context: ActionContext = {},
): Promise<void> {
  const at = { pool, project, name };
  using _lock = await holdVolume(services, at, 'create', context.signal);
  const record = await services.database.write(async tx => {
    await checkUntrash(tx, at, name);
    const config = { ...content.volume.config, [untrashMark]: uuid };
    const record = await insertVolume(tx, { ...content.volume, ...at, config });
    for (const snapshot of content.snapshots) await insertVolumeSnapshot(tx, { ...snapshot, volumeId: record.id });
    await checkProject(tx, project);
    await setTrashState(tx, uuid, 'returning');
    return record;
  });
  await faultPoint('volume-untrash.after-row');
  await finishUntrash(services, record, uuid);
  tell(services, 'storage-volume-created', at, context, { context: { type: 'custom', trash: uuid } });
}

/** The steps after the row; each succeeds when it was done before. */
export async function finishUntrash(services: VolumeServices, record: VolumeRecord, uuid: string): Promise<void> {
  const pool = services.pools.get(record.pool);
  const kept = { kind: 'custom', name: trashVolumeName(uuid) } as const;
  try {
    if (await pool.hasVolume(kept)) await pool.renameVolume(kept, onDisk(record).name);
  } catch (error) {
    await services.database.write(async tx => {
      await deleteVolumeRow(tx, record.id);
      await setTrashState(tx, uuid, 'kept');
    });
    throw error;
  }
  await faultPoint('volume-untrash.after-volume');
  await services.database.write(async tx => {
    await patchVolumeConfig(tx, record.id, { [untrashMark]: undefined });
    await deleteTrashRow(tx, uuid);
  });
}
