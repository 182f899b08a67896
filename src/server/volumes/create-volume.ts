import type { ConfigMap } from '#api/common.ts';
import { alreadyExists, ApiError, invalid } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import type { Reader } from '../database/database.ts';
import { getPool } from '../database/storage-pools.ts';
import {
  deleteVolumeRow,
  findVolume,
  insertVolume,
  updateVolume,
  type VolumeRecord,
} from '../database/storage-volumes.ts';
import {
  insertVolumeSnapshot,
  listVolumeSnapshots,
  type NewVolumeSnapshot,
  type VolumeSnapshotRecord,
} from '../database/volume-snapshots.ts';
import { checkProject } from '../projects/check-project.ts';
import {
  type ActionContext,
  checkDescription,
  checkVolumeName,
  type CustomAt,
  holdVolume,
  onDisk,
  readyVolume,
  tell,
  type VolumeServices,
} from './volume.ts';
import { checkedConfig, configureVolume, portableConfig, withPoolDefaults } from './volume-config.ts';

/** Content of a volume to copy: of the volume, or of one of its snapshots. */
export interface CopySource extends CustomAt {
  readonly snapshot?: string;
  /** its snapshots come along */
  readonly withSnapshots: boolean;
}

export interface NewCustomVolume extends CustomAt {
  readonly description?: string;
  /** of a copy: the source's when absent */
  readonly config?: ConfigMap;
  readonly source?: CopySource;
  readonly receive?: ReceiveVolume;
}

/** Snapshots that come with a volume. */
export type ArrivedSnapshots = readonly Omit<NewVolumeSnapshot, 'volumeId'>[];

/** Fills a volume that is there and empty from another server; `complete` makes it ready and is called once. */
export type ReceiveVolume = (complete: (snapshots: ArrivedSnapshots) => Promise<void>) => Promise<void>;

/** What is copied: read in the transaction that takes the name. */
interface Origin {
  readonly record: VolumeRecord;
  readonly snapshots: readonly VolumeSnapshotRecord[];
}

/** Throws "already-exists" when the name is taken, "not-found" for an unknown pool or source. For an answer at once. */
export async function checkNewVolume(services: VolumeServices, request: NewCustomVolume): Promise<void> {
  await services.database.read(reader => planned(reader, request));
}

/** Makes a custom volume, empty or with the content of another one. */
export async function createVolume(
  services: VolumeServices,
  request: NewCustomVolume,
  context: ActionContext = {},
): Promise<void> {
  const { source } = request;
  using _lock = await holdVolume(services, request, 'create', context.signal);
  await using revert = new Revert(services.log);
  const { id, config, origin } = await services.database.write(async tx => {
    const { row, origin } = await planned(tx, request);
    const { id } = await insertVolume(tx, row);
    await checkProject(tx, row.project);
    return { id, config: row.config, origin };
  });
  revert.add('inserting the row', () => services.database.write(tx => deleteVolumeRow(tx, id)));
  await faultPoint('volume-create.after-row');

  const pool = services.pools.get(request.pool);
  const target = onDisk(request);
  revert.add('creating the volume', () => pool.deleteVolume(target));
  const complete = async (snapshots: ArrivedSnapshots): Promise<void> => {
    await configureVolume(services, request, config);
    await faultPoint('volume-create.after-volume');
    context.signal?.throwIfAborted();
    await services.database.write(async tx => {
      for (const snapshot of snapshots) await insertVolumeSnapshot(tx, { ...snapshot, volumeId: id });
      await updateVolume(tx, id, { ready: true });
    });
    revert.commit();
    await faultPoint('volume-create.after-ready');
    tell(services, 'storage-volume-created', request, context, { context: { type: 'custom' } });
  };
  if (source && origin) await copyContent(services, request, source, origin.snapshots, context);
  else await pool.createVolume(target);
  if (request.receive) await request.receive(complete);
  else await complete(origin?.snapshots ?? []);
}

async function copyContent(
  services: VolumeServices,
  to: CustomAt,
  source: CopySource,
  snapshots: readonly VolumeSnapshotRecord[],
  { signal }: ActionContext,
): Promise<void> {
  const volume = onDisk(source);
  const content = source.snapshot === undefined ? volume : { volume, name: source.snapshot };
  await services.pools.get(to.pool).copyVolume({ pool: services.pools.get(source.pool), content }, onDisk(to), {
    snapshots: snapshots.map(snapshot => snapshot.name),
    ...(signal && { signal }),
  });
}

async function planned(
  reader: Reader,
  { pool, project, name, description, config, source, receive }: NewCustomVolume,
): Promise<{ row: Omit<VolumeRecord, 'id'>; origin: Origin | undefined }> {
  checkVolumeName(name);
  checkDescription(description ?? '');
  const { config: poolConfig, driver, ready } = await getPool(reader, pool);
  if (!ready) throw new ApiError('unavailable', `Storage pool "${pool}" is being made or deleted`);
  if (await findVolume(reader, { pool, project, name, type: 'custom' })) throw alreadyExists('Storage volume', name);
  const origin = source && (await originOf(reader, source));
  const asked = config && !source && !receive ? config : portableConfig(config ?? origin?.record.config ?? {}, driver);
  const row = {
    pool,
    project,
    type: 'custom' as const,
    name,
    description: description ?? origin?.record.description ?? '',
    createdAt: new Date().toISOString(),
    ready: false,
    config: checkedConfig(name, withPoolDefaults(asked, poolConfig), {}, driver),
  };
  return { row, origin };
}

async function originOf(reader: Reader, source: CopySource): Promise<Origin> {
  const record = await readyVolume(reader, source);
  const snapshots = (await listVolumeSnapshots(reader, record.id)).filter(({ ready }) => ready);
  if (source.snapshot === undefined) return { record, snapshots: source.withSnapshots ? snapshots : [] };
  const snapshot = snapshots.find(({ name }) => name === source.snapshot);
  if (!snapshot) throw invalid('source.name', `snapshot "${source.snapshot}" of "${source.name}" does not exist`);
  const { config, description } = snapshot;
  return { record: { ...record, config, description }, snapshots: [] };
}
