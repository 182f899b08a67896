import { alreadyExists, ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { instanceNameProblem } from '#base/names.ts';
import type { Transaction } from '#server/database/database.ts';
import {
  findInstance,
  getInstance,
  type InstanceRecord,
  patchInstanceConfig,
  setInstanceProject,
  updateInstance,
} from '#server/database/instances.ts';
import { deleteSnapshotRow, listSnapshotRows, setSnapshotDevices } from '#server/database/snapshots.ts';
import { getPool } from '#server/database/storage-pools.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import { checkInstance } from './check-instance.ts';
import { devicesInPool } from './devices-in-pool.ts';
import { rootDevice } from '../profiles/expand-config.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { limitRoot, linkRoot, rootPool, rootVolume, unlinkRoot } from './root-volume.ts';
import { assertAllowed, holdInstance } from './status.ts';

/** Kept while a move is under way: POOL/VOLUME that is being made, or that is left to delete once it is whole. */
export const moveMarks = { making: 'volatile.move.making', leaving: 'volatile.move.leaving' } as const;

export interface MoveRequest {
  readonly name: string;
  readonly pool?: string | undefined;
  readonly project?: string | undefined;
  /** leaves its snapshots behind */
  readonly instanceOnly?: boolean | undefined;
}

/**
 * Moves a stopped instance with its snapshots to another pool or project, under any name. The old root volume stays
 * until the new one is whole; one transaction makes the new one the instance's.
 */
export async function moveInstance(
  services: InstanceServices,
  project: string,
  name: string,
  request: MoveRequest,
  context: ActionContext = {},
): Promise<void> {
  const problem = instanceNameProblem(request.name);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Instance name "${request.name}" ${problem}`);
  const toProject = request.project || project;
  using _lock = await holdInstance(services.locks, project, name, 'move', context.signal);
  const renamed = toProject !== project || request.name !== name;
  using _newLock = renamed
    ? await holdInstance(services.locks, toProject, request.name, 'move', context.signal)
    : undefined;
  const { record, target } = await services.database.write(async tx => {
    const record = await getInstance(tx, project, name);
    assertAllowed(name, record.ready, services.runtime.status(containerId(project, name)), 'move');
    const pool = request.pool || record.pool;
    await getPool(tx, pool);
    if (renamed && (await findInstance(tx, toProject, request.name))) throw alreadyExists('Instance', request.name);
    if (!renamed && pool === record.pool)
      throw new ApiError('invalid-argument', `Instance "${name}" is in storage pool "${pool}" already`);
    const devices = await devicesInPool(tx, { ...record, project: toProject }, pool);
    const target = { ...record, project: toProject, name: request.name, pool, devices };
    await checkInstance(tx, target);
    await patchInstanceConfig(tx, record.id, { [moveMarks.making]: `${pool}/${rootVolume(target).name}` });
    return { record, target };
  });
  await faultPoint('move.after-mark');
  await copyRoot(services, record, target, request.instanceOnly === true, context);
  await faultPoint('move.after-volume');
  await services.database.write(tx => switchTo(tx, record, target, request.instanceOnly === true));
  await faultPoint('move.after-write');
  await finishMove(services, await services.database.read(reader => getInstance(reader, toProject, request.name)));
  emitLifecycle(services.events, 'instance-renamed', instancePath(request.name), {
    project: toProject,
    context: { old_name: name },
    ...(context.requestor && { requestor: context.requestor }),
  });
}

async function copyRoot(
  services: InstanceServices,
  record: InstanceRecord,
  target: InstanceRecord,
  alone: boolean,
  { signal }: ActionContext,
): Promise<void> {
  const rows = await services.database.read(reader => listSnapshotRows(reader, record.id));
  try {
    const snapshots = alone ? [] : rows.filter(({ ready }) => ready).map(({ name }) => name);
    const source = { pool: rootPool(services, record), content: rootVolume(record) };
    await rootPool(services, target).copyVolume(source, rootVolume(target), { snapshots, ...(signal && { signal }) });
    const size = rootDevice(target.devices)?.[1]['size'];
    if (size) await limitRoot(services, target, size);
  } catch (error) {
    await abandonMove(
      services,
      await services.database.read(reader => getInstance(reader, record.project, record.name)),
    );
    throw error;
  }
}

/** Gives up a move whose new volume is not whole; may be done twice. */
export async function abandonMove(services: InstanceServices, record: InstanceRecord): Promise<void> {
  await deleteMarked(services, record.config[moveMarks.making]);
  await services.database.write(tx => patchInstanceConfig(tx, record.id, { [moveMarks.making]: undefined }));
}

/** The steps after the new volume became the instance's; they may be done twice. */
export async function finishMove(services: InstanceServices, record: InstanceRecord): Promise<void> {
  const mark = record.config[moveMarks.leaving];
  const before = (mark ?? '').split('/')[1] ?? '';
  await deleteMarked(services, mark);
  const after = containerId(record.project, record.name);
  if (before !== after && before !== '') {
    await unlinkRoot(services, { project: 'default', name: before });
    await services.runtime.rename(before, after);
  }
  await linkRoot(services, record);
  await services.database.write(tx => patchInstanceConfig(tx, record.id, { [moveMarks.leaving]: undefined }));
}

async function deleteMarked(services: Pick<InstanceServices, 'pools'>, mark: string | undefined): Promise<void> {
  const [pool = '', volume = ''] = (mark ?? '').split('/');
  if (volume !== '') await services.pools.get(pool).deleteVolume({ kind: 'container', name: volume });
}

async function switchTo(
  tx: Transaction,
  record: InstanceRecord,
  target: InstanceRecord,
  alone: boolean,
): Promise<void> {
  const { project, name, pool, devices, profiles } = target;
  for (const snapshot of await listSnapshotRows(tx, record.id)) {
    if (alone) await deleteSnapshotRow(tx, snapshot.id);
    else await setSnapshotDevices(tx, snapshot.id, await devicesInPool(tx, { ...snapshot, project }, pool));
  }
  if (project !== record.project) await setInstanceProject(tx, record.id, project, profiles);
  await updateInstance(tx, { id: record.id, project }, { name, pool, devices });
  await patchInstanceConfig(tx, record.id, {
    [moveMarks.making]: undefined,
    [moveMarks.leaving]: `${record.pool}/${rootVolume(record).name}`,
    ...(name !== record.name && { 'volatile.apply_template': 'rename' }),
  });
}
