import { ApiError, invalid } from '#api/error.ts';
import { type ConfigMap, zeroTime } from '#api/common.ts';
import type { InstanceSnapshotsPost } from '#api/instance.ts';
import { faultPoint } from '#base/fault-point.ts';
import { snapshotNameProblem } from '#base/names.ts';
import { Revert } from '#base/revert.ts';
import { nextSnapshotName } from '#base/snapshot-name.ts';
import type { Reader } from '#server/database/database.ts';
import { getInstance, type InstanceRecord, listInstanceRows } from '#server/database/instances.ts';
import {
  deleteSnapshotRow,
  getSnapshot,
  insertSnapshot,
  listSnapshotNames,
  listSnapshotRows,
  renameSnapshotRow,
  setSnapshotConfig,
  setSnapshotExpiry,
  setSnapshotReady,
  type SnapshotRecord,
} from '#server/database/snapshots.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import { checkSnapshotAllowed } from '../projects/check-project.ts';
import { expandInstance } from './check-instance.ts';
import { type ActionContext, type InstanceServices, snapshotPath } from './instance-services.ts';
import { keepState } from './kept-state.ts';
import { rootPool, rootVolume } from './root-volume.ts';
import { expiryTime, isExpired } from './snapshot-expiry.ts';
import { assertAllowed, holdInstance } from './status.ts';

/** Kept with a snapshot while it is being renamed. */
export const snapshotRenameMark = 'volatile.rename.to';

type SnapshotRequest = InstanceSnapshotsPost & {
  /** keys beside the instance's own */
  readonly config?: ConfigMap;
};

/** Makes a snapshot of an instance, running or not; returns its name. */
export async function createSnapshot(
  services: InstanceServices,
  project: string,
  instance: string,
  request: SnapshotRequest,
  context: ActionContext = {},
): Promise<string> {
  using _lock = await holdInstance(services.locks, project, instance, 'snapshot', context.signal);
  return await createSnapshotHeld(services, project, instance, request, context);
}

/** Like createSnapshot, for callers that hold the instance's lock. */
export async function createSnapshotHeld(
  services: InstanceServices,
  project: string,
  instance: string,
  request: SnapshotRequest,
  context: ActionContext,
): Promise<string> {
  const now = new Date();
  await using revert = new Revert(services.log);
  const { record, name, id } = await services.database.write(async tx => {
    const record = await getInstance(tx, project, instance);
    assertAllowed(instance, record.ready, services.runtime.status(containerId(project, instance)), 'snapshot');
    await checkSnapshotAllowed(tx, project);
    const { config } = await expandInstance(tx, record);
    const name =
      request.name || nextSnapshotName(config['snapshots.pattern'] ?? '', await listSnapshotNames(tx, record.id), now);
    checkSnapshotName(name);
    const expiresAt = request.expires_at ?? expiryTime(config['snapshots.expiry'], now);
    const id = await insertSnapshot(tx, {
      ...snapshotOf(record, request),
      name,
      createdAt: now.toISOString(),
      expiresAt: checkTime(expiresAt),
    });
    return { record, name, id };
  });
  revert.add('inserting the row', () => services.database.write(tx => deleteSnapshotRow(tx, id)));
  await faultPoint('snapshot.after-row');
  const snapshot = { volume: rootVolume(record), name };
  const pool = rootPool(services, record);
  revert.add('creating the snapshot', () => pool.deleteSnapshot(snapshot));
  const written = (): Promise<void> => pool.createSnapshot(snapshot);
  if (request.stateful) await keepState(services, record, { goesOn: true, written });
  else await written();
  await faultPoint('snapshot.after-volume');
  await services.database.write(tx => setSnapshotReady(tx, id, true));
  revert.commit();
  await faultPoint('snapshot.after-ready');
  tell(services, 'instance-snapshot-created', record, name, context);
  return name;
}

/** Deletes a snapshot. */
export async function deleteSnapshot(
  services: InstanceServices,
  project: string,
  instance: string,
  name: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, instance, 'snapshot', context.signal);
  await deleteSnapshotHeld(services, project, instance, name, context);
}

/** Like deleteSnapshot, for callers that hold the instance's lock. */
export async function deleteSnapshotHeld(
  services: InstanceServices,
  project: string,
  instance: string,
  name: string,
  context: ActionContext,
): Promise<void> {
  const { record, snapshot } = await readSnapshot(services, project, instance, name);
  await services.database.write(tx => setSnapshotReady(tx, snapshot.id, false));
  await finishSnapshotDelete(services, record, snapshot);
  tell(services, 'instance-snapshot-deleted', record, name, context);
}

/** The steps after the snapshot was marked not ready; they may be done twice. */
export async function finishSnapshotDelete(
  services: InstanceServices,
  record: InstanceRecord,
  snapshot: SnapshotRecord,
): Promise<void> {
  await rootPool(services, record).deleteSnapshot({ volume: rootVolume(record), name: snapshot.name });
  await services.database.write(tx => deleteSnapshotRow(tx, snapshot.id));
}

export async function renameSnapshot(
  services: InstanceServices,
  project: string,
  instance: string,
  names: { readonly from: string; readonly to: string },
  context: ActionContext = {},
): Promise<void> {
  checkSnapshotName(names.to);
  using _lock = await holdInstance(services.locks, project, instance, 'snapshot', context.signal);
  const { record, snapshot } = await readSnapshot(services, project, instance, names.from);
  await services.database.write(async tx => {
    if ((await listSnapshotNames(tx, record.id)).includes(names.to))
      throw new ApiError('already-exists', `Snapshot "${names.to}" already exists`);
    await setSnapshotConfig(tx, snapshot.id, { ...snapshot.config, [snapshotRenameMark]: names.to });
  });
  await finishSnapshotRename(services, record, snapshot, names.to);
  tell(services, 'instance-snapshot-renamed', record, names.to, { ...context, oldName: names.from });
}

/** The steps after the mark; they may be done twice. */
export async function finishSnapshotRename(
  services: InstanceServices,
  record: InstanceRecord,
  snapshot: SnapshotRecord,
  newName: string,
): Promise<void> {
  const pool = rootPool(services, record);
  const volume = rootVolume(record);
  if ((await pool.listSnapshots(volume)).includes(snapshot.name))
    await pool.renameSnapshot({ volume, name: snapshot.name }, newName);
  const { [snapshotRenameMark]: _done, ...config } = snapshot.config;
  await services.database.write(async tx => {
    await renameSnapshotRow(tx, snapshot.id, newName);
    await setSnapshotConfig(tx, snapshot.id, config);
  });
}

/** Changes when a snapshot expires; `check` refuses a client that saw another state. */
export async function updateSnapshot(
  services: InstanceServices,
  project: string,
  instance: string,
  name: string,
  change: { readonly expiresAt: string; readonly check: (writable: unknown) => void },
): Promise<void> {
  const expiresAt = checkTime(change.expiresAt);
  const record = await services.database.write(async tx => {
    const record = await getInstance(tx, project, instance);
    const snapshot = await getReadySnapshot(tx, record.id, name);
    change.check(writableSnapshot(snapshot));
    await setSnapshotExpiry(tx, snapshot.id, expiresAt);
    return record;
  });
  tell(services, 'instance-snapshot-updated', record, name, {});
}

/** The part of a snapshot that clients may change: its ETag. */
export function writableSnapshot(snapshot: SnapshotRecord): unknown {
  return { expires_at: snapshot.expiresAt };
}

/** Deletes snapshots whose time has come; those that are held up are left for the next time. */
export async function deleteExpiredSnapshots(services: InstanceServices, now: Date = new Date()): Promise<void> {
  const expired = await services.database.read(async reader => {
    const instances = new Map((await listInstanceRows(reader)).map(record => [record.id, record]));
    const snapshots = (await listSnapshotRows(reader)).filter(({ expiresAt }) => isExpired(expiresAt, now));
    return snapshots.map(snapshot => ({ snapshot, instance: instances.get(snapshot.instanceId) }));
  });
  for (const { snapshot, instance } of expired) {
    if (!instance) continue;
    try {
      await deleteSnapshot(services, instance.project, instance.name, snapshot.name);
    } catch (error) {
      services.log.warning('Failed deleting an expired snapshot', {
        instance: instance.name,
        snapshot: snapshot.name,
        error,
      });
    }
  }
}

/** Throws "busy" for a snapshot that is half there. */
export async function getReadySnapshot(reader: Reader, instanceId: number, name: string): Promise<SnapshotRecord> {
  const snapshot = await getSnapshot(reader, instanceId, name);
  if (snapshot.ready) return snapshot;
  throw new ApiError('busy', `Snapshot "${name}" is being made or deleted; try again`);
}

async function readSnapshot(
  services: InstanceServices,
  project: string,
  instance: string,
  name: string,
): Promise<{ record: InstanceRecord; snapshot: SnapshotRecord }> {
  return await services.database.read(async reader => {
    const record = await getInstance(reader, project, instance);
    return { record, snapshot: await getSnapshot(reader, record.id, name) };
  });
}

function snapshotOf(
  record: InstanceRecord,
  { config: more = {}, stateful = false }: SnapshotRequest,
): Omit<SnapshotRecord, 'id' | 'name' | 'createdAt' | 'expiresAt'> {
  const { architecture, ephemeral, profiles, devices, lastUsedAt } = record;
  const config = { ...record.config, ...more };
  const state = { instanceId: record.id, architecture, ephemeral, profiles, config, devices, lastUsedAt };
  return { ...state, description: '', stateful, ready: false };
}

function checkSnapshotName(name: string): void {
  const problem = snapshotNameProblem(name);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Snapshot name "${name.slice(0, 100)}" ${problem}`);
}

function checkTime(text: string): string {
  if (text === '' || text === zeroTime) return zeroTime;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalid('expires_at', 'must be a time such as "2030-01-31T12:00:00Z"');
  return new Date(time).toISOString();
}

function tell(
  services: InstanceServices,
  action: string,
  { name, project }: InstanceRecord,
  snapshot: string,
  { requestor, oldName }: ActionContext & { readonly oldName?: string },
): void {
  const context = oldName === undefined ? undefined : { old_name: oldName };
  emitLifecycle(services.events, action, snapshotPath(name, snapshot), {
    project,
    ...(requestor && { requestor }),
    ...(context && { context }),
  });
}
