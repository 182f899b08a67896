import { randomUUID } from 'node:crypto';
import { faultPoint } from '#base/fault-point.ts';
import type { Reader } from '#server/database/database.ts';
import {
  deleteInstanceRow,
  insertInstance,
  type InstanceRecord,
  patchInstanceConfig,
} from '#server/database/instances.ts';
import { insertSnapshot } from '#server/database/snapshots.ts';
import { getVolume, updateVolume } from '#server/database/storage-volumes.ts';
import {
  deleteTrashRow,
  setTrashState,
  type TrashContent,
  type TrashRecord,
  untrashMark,
} from '#server/database/trash.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { missingVolatile } from '../devices/devices.ts';
import { trashVolumeName } from '../paths.ts';
import { checkFreeAddresses } from './check-addresses.ts';
import { checkInstance } from './check-instance.ts';
import { cloudInitId } from './cloud-init-id.ts';
import { devicesInPool } from './devices-in-pool.ts';
import { idmapOf, idmapVolatile } from './idmap.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { freeName } from './new-instance.ts';
import { noteChange } from './note-change.ts';
import { linkRoot, rootPool, rootVolume } from './root-volume.ts';
import { isolatedRanges } from './start-instance.ts';
import { holdInstance } from './status.ts';

type TrashedItem = TrashRecord & Extract<TrashContent, { readonly type: 'instance' }>;

/** What putting it back would make: checked as every new instance is, and nothing written. */
export async function planUntrash(
  reader: Reader,
  { content, pool, project }: Pick<TrashedItem, 'content' | 'pool' | 'project'>,
  wanted: string,
): Promise<Omit<InstanceRecord, 'id'>> {
  const { instance } = content;
  const name = await freeName(reader, project, wanted);
  const devices = await devicesInPool(reader, { ...instance, project }, pool);
  const checked = await checkInstance(reader, { ...instance, project, name, devices });
  await checkFreeAddresses(reader, { project, name }, checked.devices);
  const config = {
    ...instance.config,
    ...idmapVolatile(idmapOf(checked.config, await isolatedRanges(reader))),
    ...missingVolatile(checked.devices, instance.config),
    ...(name !== instance.name && { 'volatile.apply_template': 'rename', [cloudInitId]: randomUUID() }),
  };
  return { ...instance, project, name, devices, config };
}

/** Puts an instance with its snapshots back, under a name that is free; the caller holds the lock of the trash. */
export async function untrashInstance(
  services: InstanceServices,
  trash: TrashedItem,
  wanted: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdInstance(services.locks, trash.project, wanted, 'create', context.signal);
  const record = await services.database.write(async tx => {
    const { content } = trash;
    const planned = await planUntrash(tx, trash, wanted);
    const config = { ...planned.config, [untrashMark]: trash.uuid };
    const record = await insertInstance(tx, { ...planned, config, ready: true });
    const { id } = await getVolume(tx, { ...record, type: 'container' });
    await updateVolume(tx, id, content.volume);
    for (const snapshot of content.snapshots) await insertSnapshot(tx, { ...snapshot, instanceId: record.id });
    await noteChange(tx, record, 'return', context);
    await setTrashState(tx, trash.uuid, 'returning');
    return record;
  });
  await faultPoint('untrash.after-row');
  await finishUntrash(services, record, trash.uuid);
  emitLifecycle(services.events, 'instance-created', instancePath(record.name), {
    project: record.project,
    context: { type: 'container', 'storage-pool': record.pool, trash: trash.uuid },
    ...(context.requestor && { requestor: context.requestor }),
  });
}

/** The steps after the row; each succeeds when it was done before. */
export async function finishUntrash(services: InstanceServices, record: InstanceRecord, uuid: string): Promise<void> {
  const pool = rootPool(services, record);
  const kept = { kind: 'container', name: trashVolumeName(uuid) } as const;
  try {
    if (await pool.hasVolume(kept)) await pool.renameVolume(kept, rootVolume(record).name);
  } catch (error) {
    await services.database.write(async tx => {
      await deleteInstanceRow(tx, record.id);
      await setTrashState(tx, uuid, 'kept');
    });
    throw error;
  }
  await faultPoint('untrash.after-volume');
  await linkRoot(services, record);
  await services.database.write(async tx => {
    await patchInstanceConfig(tx, record.id, { [untrashMark]: undefined });
    await deleteTrashRow(tx, uuid);
  });
  await faultPoint('untrash.after-write');
}
