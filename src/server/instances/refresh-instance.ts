import { ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import { faultPoint } from '#base/fault-point.ts';
import { findInstance, getInstance, type InstanceRecord, patchInstanceConfig } from '#server/database/instances.ts';
import {
  deleteSnapshotRow,
  getSnapshot,
  insertSnapshot,
  listSnapshotRows,
  setSnapshotReady,
} from '#server/database/snapshots.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import { difference } from '../volumes/refresh-volume.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume } from './root-volume.ts';
import { assertAllowed, holdInstance, lockKey } from './status.ts';

/** Kept while a refresh is under way: POOL/VOLUME that it reads. */
export const refreshMark = 'volatile.refresh.from';

/** The instance that a request would bring up to date: undefined when it makes a new one. */
export async function findRefreshed(
  services: Pick<InstanceServices, 'database'>,
  project: string,
  { name, source }: InstancesPost,
): Promise<InstanceRecord | undefined> {
  if (source.type !== 'copy' || !source.refresh || !name) return undefined;
  return await services.database.read(reader => findInstance(reader, project, name));
}

/**
 * Brings a stopped copy in line with its source: snapshots that the source has not are deleted, those that the copy
 * lacks are copied, and its files are replaced when the new ones are whole. Its config stays.
 */
export async function refreshInstance(
  services: InstanceServices,
  target: Pick<InstanceRecord, 'project' | 'name'>,
  request: InstancesPost,
  context: ActionContext = {},
): Promise<void> {
  const [sourceName = '', snapshotName] = (request.source.source ?? '').split('/', 2);
  const sourceProject = request.source.project || target.project;
  if (lockKey(sourceProject, sourceName) === lockKey(target.project, target.name))
    throw new ApiError('invalid-argument', `Cannot refresh instance "${target.name}" from itself`);
  using _lock = await holdInstance(services.locks, target.project, target.name, 'refresh', context.signal);
  const alone = request.source.instance_only === true || request.source.container_only === true;
  const planned = await services.database.write(async tx => {
    const record = await getInstance(tx, target.project, target.name);
    const status = services.runtime.status(containerId(record.project, record.name));
    assertAllowed(record.name, record.ready, status, 'refresh');
    const source = await getInstance(tx, sourceProject, sourceName);
    if (snapshotName !== undefined) await getSnapshot(tx, source.id, snapshotName);
    const whole = !alone && snapshotName === undefined;
    const wanted = whole ? await listSnapshotRows(tx, source.id) : [];
    const present = whole ? await listSnapshotRows(tx, record.id) : [];
    const { gone, missing } = difference(present, wanted);
    for (const snapshot of gone) {
      // Those that go may bear the names of those that come.
      if (missing.some(({ name }) => name === snapshot.name)) await deleteSnapshotRow(tx, snapshot.id);
      else await setSnapshotReady(tx, snapshot.id, false);
    }
    const added: number[] = [];
    for (const snapshot of missing)
      added.push(await insertSnapshot(tx, { ...snapshot, instanceId: record.id, ready: false }));
    await patchInstanceConfig(tx, record.id, { [refreshMark]: `${source.pool}/${rootVolume(source).name}` });
    return { record, source, gone, missing, added };
  });
  await faultPoint('renew.after-mark');
  await copyContent(services, planned, snapshotName, context);
  emitLifecycle(services.events, 'instance-updated', instancePath(target.name), {
    project: target.project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}

interface Refresh {
  readonly record: InstanceRecord;
  readonly source: InstanceRecord;
  readonly gone: readonly { readonly name: string }[];
  readonly missing: readonly { readonly name: string }[];
  readonly added: readonly number[];
}

async function copyContent(
  services: InstanceServices,
  { record, source, gone, missing, added }: Refresh,
  snapshot: string | undefined,
  { signal }: ActionContext,
): Promise<void> {
  try {
    const volume = rootVolume(source);
    const content = snapshot === undefined ? volume : { volume, name: snapshot };
    await rootPool(services, record).refreshVolume({ pool: rootPool(services, source), content }, rootVolume(record), {
      gone: gone.map(({ name }) => name),
      missing: missing.map(({ name }) => name),
      ...(signal && { signal }),
    });
    await faultPoint('renew.after-volume');
    await services.database.write(async tx => {
      for (const id of added) await setSnapshotReady(tx, id, true);
    });
  } finally {
    await finishRefresh(
      services,
      await services.database.read(reader => getInstance(reader, record.project, record.name)),
    );
  }
}

/** Removes what a refresh, done or interrupted, has left; may be done twice. */
export async function finishRefresh(services: InstanceServices, record: InstanceRecord): Promise<void> {
  const [pool = '', volume = ''] = (record.config[refreshMark] ?? '').split('/');
  if (volume !== '') await services.pools.get(pool).cleanRefresh({ kind: 'container', name: volume });
  const own = rootPool(services, record);
  await own.cleanRefresh(rootVolume(record));
  const snapshots = await services.database.read(reader => listSnapshotRows(reader, record.id));
  for (const snapshot of snapshots) {
    if (snapshot.ready) continue;
    await own.deleteSnapshot({ volume: rootVolume(record), name: snapshot.name });
    await services.database.write(tx => deleteSnapshotRow(tx, snapshot.id));
  }
  await services.database.write(tx => patchInstanceConfig(tx, record.id, { [refreshMark]: undefined }));
}
