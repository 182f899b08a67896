import { zeroTime } from '#api/common.ts';
import { alreadyExists, ApiError, invalid } from '#api/error.ts';
import { parseAge, timeAfter } from '#base/age.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import { nextSnapshotName } from '#base/snapshot-name.ts';
import type { Reader } from '../database/database.ts';
import type { VolumeRecord } from '../database/storage-volumes.ts';
import {
  deleteVolumeSnapshotRow,
  getVolumeSnapshot,
  insertVolumeSnapshot,
  listVolumeSnapshots,
  setVolumeSnapshotConfig,
  updateVolumeSnapshot,
  type VolumeSnapshotRecord,
} from '../database/volume-snapshots.ts';
import { checkSnapshotAllowed } from '../projects/check-project.ts';
import {
  type ActionContext,
  assertNotServers,
  checkDescription,
  checkSnapshotName,
  type CustomAt,
  holdVolume,
  onDisk,
  readyVolume,
  tell,
  type VolumeServices,
} from './volume.ts';
import { renameMark } from './move-volume.ts';

export interface VolumeSnapshotRequest {
  /** by the volume's pattern when empty or absent */
  readonly name?: string;
  /** by the volume's config when absent */
  readonly expires_at?: string;
  /** keys beside the volume's own */
  readonly config?: Readonly<Record<string, string>>;
}

/** Makes a snapshot of a volume, in use or not; returns its name. */
export async function createVolumeSnapshot(
  services: VolumeServices,
  at: CustomAt,
  request: VolumeSnapshotRequest,
  context: ActionContext = {},
): Promise<string> {
  using _lock = await holdVolume(services, at, 'snapshot', context.signal);
  return await createSnapshotHeld(services, at, request, context);
}

/** Like createVolumeSnapshot, for callers that hold the volume's lock. */
export async function createSnapshotHeld(
  services: VolumeServices,
  at: CustomAt,
  request: VolumeSnapshotRequest,
  context: ActionContext,
): Promise<string> {
  const now = new Date();
  await using revert = new Revert(services.log);
  const { id, name } = await services.database.write(async tx => {
    const record = await readyVolume(tx, at);
    await assertNotServers(tx, at, 'cannot have snapshots');
    await checkSnapshotAllowed(tx, at.project);
    const name = request.name || (await nextName(tx, record, now));
    checkSnapshotName(name);
    const id = await insertVolumeSnapshot(tx, {
      volumeId: record.id,
      name,
      description: record.description,
      createdAt: now.toISOString(),
      expiresAt:
        request.expires_at === undefined
          ? expiryOf(record.config['snapshots.expiry'], now)
          : checkTime(request.expires_at),
      ready: false,
      config: { ...record.config, ...request.config },
    });
    return { id, name };
  });
  revert.add('inserting the row', () => services.database.write(tx => deleteVolumeSnapshotRow(tx, id)));
  await faultPoint('volume-snapshot.after-row');
  const snapshot = { volume: onDisk(at), name };
  const pool = services.pools.get(at.pool);
  await pool.createSnapshot(snapshot);
  revert.add('creating the snapshot', () => pool.deleteSnapshot(snapshot));
  await faultPoint('volume-snapshot.after-volume');
  await services.database.write(tx => updateVolumeSnapshot(tx, id, { ready: true }));
  revert.commit();
  tell(services, 'storage-volume-snapshot-created', at, context, { snapshot: name, context: { type: 'custom' } });
  return name;
}

export async function deleteVolumeSnapshot(
  services: VolumeServices,
  at: CustomAt,
  name: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdVolume(services, at, 'delete a snapshot of', context.signal);
  await deleteSnapshotHeld(services, at, name, context);
}

/** Like deleteVolumeSnapshot, for callers that hold the volume's lock. */
export async function deleteSnapshotHeld(
  services: VolumeServices,
  at: CustomAt,
  name: string,
  context: ActionContext,
): Promise<void> {
  const snapshot = await services.database.write(async tx => {
    const record = await readyVolume(tx, at);
    const snapshot = await getVolumeSnapshot(tx, record.id, name);
    await updateVolumeSnapshot(tx, snapshot.id, { ready: false });
    return snapshot;
  });
  await finishSnapshotDelete(services, at, snapshot);
  tell(services, 'storage-volume-snapshot-deleted', at, context, { snapshot: name });
}

/** The steps after the snapshot was marked not ready; they may be done twice. */
export async function finishSnapshotDelete(
  services: VolumeServices,
  at: CustomAt,
  snapshot: VolumeSnapshotRecord,
): Promise<void> {
  await services.pools.get(at.pool).deleteSnapshot({ volume: onDisk(at), name: snapshot.name });
  await services.database.write(tx => deleteVolumeSnapshotRow(tx, snapshot.id));
}

export async function renameVolumeSnapshot(
  services: VolumeServices,
  at: CustomAt,
  names: { readonly from: string; readonly to: string },
  context: ActionContext = {},
): Promise<void> {
  checkSnapshotName(names.to);
  using _lock = await holdVolume(services, at, 'rename a snapshot of', context.signal);
  const snapshot = await services.database.write(async tx => {
    const record = await readyVolume(tx, at);
    const snapshots = await listVolumeSnapshots(tx, record.id);
    if (snapshots.some(({ name }) => name === names.to)) throw alreadyExists('Snapshot', names.to);
    const snapshot = await readySnapshot(tx, record.id, names.from);
    await setVolumeSnapshotConfig(tx, snapshot.id, { ...snapshot.config, [renameMark]: names.to });
    return snapshot;
  });
  await finishSnapshotRename(services, at, snapshot, names.to);
  tell(services, 'storage-volume-snapshot-renamed', at, context, {
    snapshot: names.to,
    context: { old_name: names.from },
  });
}

/** The steps after the mark; they may be done twice. */
export async function finishSnapshotRename(
  services: VolumeServices,
  at: CustomAt,
  snapshot: VolumeSnapshotRecord,
  newName: string,
): Promise<void> {
  const pool = services.pools.get(at.pool);
  if ((await pool.listSnapshots(onDisk(at))).includes(snapshot.name))
    await pool.renameSnapshot({ volume: onDisk(at), name: snapshot.name }, newName);
  const { [renameMark]: _done, ...config } = snapshot.config;
  await services.database.write(async tx => {
    await updateVolumeSnapshot(tx, snapshot.id, { name: newName });
    await setVolumeSnapshotConfig(tx, snapshot.id, config);
  });
}

/** Changes description and expiry; absent members stay. */
export async function changeVolumeSnapshot(
  services: VolumeServices,
  at: CustomAt,
  name: string,
  change: (current: VolumeSnapshotRecord) => { readonly description?: string; readonly expires_at?: string },
  context: ActionContext = {},
): Promise<void> {
  await services.database.write(async tx => {
    const { id } = await readyVolume(tx, at);
    const snapshot = await readySnapshot(tx, id, name);
    const { description, expires_at } = change(snapshot);
    checkDescription(description ?? '');
    await updateVolumeSnapshot(tx, snapshot.id, {
      ...(description !== undefined && { description }),
      ...(expires_at !== undefined && { expiresAt: checkTime(expires_at) }),
    });
  });
  tell(services, 'storage-volume-snapshot-updated', at, context, { snapshot: name });
}

async function readySnapshot(reader: Reader, volumeId: number, name: string): Promise<VolumeSnapshotRecord> {
  const snapshot = await getVolumeSnapshot(reader, volumeId, name);
  if (snapshot.ready) return snapshot;
  throw new ApiError('busy', `Snapshot "${name}" is being made or deleted; try again`);
}

async function nextName(reader: Reader, record: VolumeRecord, now: Date): Promise<string> {
  const taken = (await listVolumeSnapshots(reader, record.id)).map(({ name }) => name);
  return nextSnapshotName(record.config['snapshots.pattern'] ?? '', taken, now);
}

function expiryOf(text: string | undefined, now: Date): string {
  const age = text ? parseAge(text) : undefined;
  return (age && timeAfter(age, now)?.toISOString()) ?? zeroTime;
}

function checkTime(text: string): string {
  if (text === '' || text === zeroTime) return zeroTime;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalid('expires_at', 'must be a time such as "2030-01-31T12:00:00Z"');
  return new Date(time).toISOString();
}
