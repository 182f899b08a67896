import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import type { Reader } from '#server/database/database.ts';
import { getInstance, type InstanceRecord, patchInstanceConfig, updateInstance } from '#server/database/instances.ts';
import { listSnapshotRows, type SnapshotRecord } from '#server/database/snapshots.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { missingVolatile } from '../devices/devices.ts';
import { containerId } from '../paths.ts';
import { restoreSafely, type SnapshotsOf } from '../safety-snapshots.ts';
import { checkInstance, type CheckedInstance } from './check-instance.ts';
import { devicesInPool } from './devices-in-pool.ts';
import { idmapOf, idmapVolatile } from './idmap.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { clearState, noteState } from './kept-state.ts';
import { noteChange } from './note-change.ts';
import { limitRoot, rootPool, rootVolume } from './root-volume.ts';
import { createSnapshotHeld, deleteSnapshotHeld, getReadySnapshot } from './snapshots.ts';
import { isolatedRanges, startHeld } from './start-instance.ts';
import { assertAllowed, holdInstance } from './status.ts';
import { endContainer, releaseHeld } from './stop-instance.ts';

/** Kept while a restore is under way, so that a daemon that dies in it finishes it at its next start. */
export const restoreMark = 'volatile.restore.snapshot';

export interface RestoreRequest {
  /** of the snapshot */
  readonly name: string;
  /** the instance goes on from the state of the snapshot's processes */
  readonly stateful?: boolean;
}

/** Puts content and config of a snapshot in the instance's place; one that runs is stopped and started again. */
export async function restoreSnapshot(
  services: InstanceServices,
  project: string,
  instance: string,
  { name, stateful = false }: RestoreRequest,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, instance, 'restore', context.signal);
  const id = containerId(project, instance);
  const { record, snapshot } = await services.database.read(async reader => {
    const record = await getInstance(reader, project, instance);
    assertAllowed(instance, record.ready, services.runtime.status(id), 'restore');
    const snapshot = await getReadySnapshot(reader, record.id, name);
    if (stateful && !snapshot.stateful)
      throw new ApiError('failed-precondition', `Snapshot "${name}" has no state; restore it without "--stateful"`);
    await checkRestored(reader, record, snapshot);
    return { record, snapshot };
  });
  const ran = services.runtime.status(id) !== 'stopped';
  if (ran) {
    await endContainer(services, record, { force: true, timeoutMs: undefined }, context);
    await releaseHeld(services, record);
  }
  const snapshots: SnapshotsOf = {
    list: () => services.database.read(reader => listSnapshotRows(reader, record.id)),
    create: request => createSnapshotHeld(services, project, instance, request, context),
    delete: older => deleteSnapshotHeld(services, project, instance, older, context),
  };
  await restoreSafely(snapshots, { keptUntil: context.keptUntil, log: services.log }, async safety => {
    await services.database.write(async tx => {
      await patchInstanceConfig(tx, record.id, { [restoreMark]: name });
      await noteChange(tx, record, 'restore', context, safety);
    });
    await faultPoint('restore.after-mark');
    await finishRestore(services, record, name);
  });
  if (stateful) await noteState(services, record);
  else if (snapshot.stateful) await clearState(services, record);
  emitLifecycle(services.events, 'instance-restored', instancePath(instance), {
    project,
    context: { snapshot: name },
    ...(context.requestor && { requestor: context.requestor }),
  });
  if (ran || stateful) await startHeld(services, project, instance, context);
}

/** The steps after the mark; they may be done twice. */
export async function finishRestore(services: InstanceServices, record: InstanceRecord, name: string): Promise<void> {
  const pool = rootPool(services, record);
  await pool.restoreSnapshot({ volume: rootVolume(record), name });
  await faultPoint('restore.after-volume');
  const rootSize = await services.database.write(async tx => {
    const current = await getInstance(tx, record.project, record.name);
    const snapshot = await getReadySnapshot(tx, record.id, name);
    const { config, devices, expanded } = await checkRestored(tx, current, snapshot);
    const idmap = idmapVolatile(idmapOf(expanded.config, await isolatedRanges(tx, record.id)));
    const { architecture, ephemeral, profiles } = snapshot;
    const kept = { ...config, ...idmap, ...missingVolatile(expanded.devices, config) };
    const { [restoreMark]: _done, ...after } = kept as Record<string, string>;
    await updateInstance(tx, record, { architecture, ephemeral, profiles, devices, config: after, stateful: false });
    return expanded.rootSize;
  });
  await limitRoot(services, record, rootSize);
  await faultPoint('restore.after-write');
}

/** The snapshot's config with the instance's own volatile values, checked as every change is. */
async function checkRestored(
  reader: Reader,
  record: InstanceRecord,
  { config, devices, profiles }: SnapshotRecord,
): Promise<{ config: ConfigMap; devices: SnapshotRecord['devices']; expanded: CheckedInstance }> {
  const isVolatile = ([key]: readonly [string, string]): boolean => key.startsWith('volatile.');
  const merged = Object.fromEntries([
    ...Object.entries(config).filter(entry => !isVolatile(entry)),
    ...Object.entries(record.config).filter(isVolatile),
  ]);
  // The snapshot may have been taken before the instance, or what it is a copy of, came into this pool.
  const kept = { project: record.project, config: merged, devices, profiles };
  const here = await devicesInPool(reader, kept, record.pool);
  const expanded = await checkInstance(reader, { ...record, config: merged, devices: here, profiles });
  return { config: merged, devices: here, expanded };
}
