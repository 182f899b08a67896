import { randomUUID } from 'node:crypto';
import { alreadyExists, ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { instanceNameProblem } from '#base/names.ts';
import {
  findInstance,
  getInstance,
  type InstanceRecord,
  patchInstanceConfig,
  updateInstance,
} from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import { renameBackupFolder } from './backup-folder.ts';
import { cloudInitId } from './cloud-init-id.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { linkRoot, rootPool, rootVolume, unlinkRoot } from './root-volume.ts';
import { assertAllowed, holdInstance } from './status.ts';

/** Kept while a rename is under way, so that a daemon that dies in it finishes it at its next start. */
export const renameMark = 'volatile.rename.to';

/** Renames a stopped instance with its volume, snapshots and logs. */
export async function renameInstance(
  services: InstanceServices,
  project: string,
  name: string,
  newName: string,
  context: ActionContext = {},
): Promise<void> {
  const problem = instanceNameProblem(newName);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Instance name "${newName}" ${problem}`);
  using _lock = await holdInstance(services.locks, project, name, 'rename', context.signal);
  using _newLock = await holdInstance(services.locks, project, newName, 'rename', context.signal);
  const record = await services.database.write(async tx => {
    const record = await getInstance(tx, project, name);
    assertAllowed(name, record.ready, services.runtime.status(containerId(project, name)), 'rename');
    if (newName === name || (await findInstance(tx, project, newName))) throw alreadyExists('Instance', newName);
    await patchInstanceConfig(tx, record.id, { [renameMark]: newName });
    return record;
  });
  await faultPoint('rename.after-mark');
  await finishRename(services, record, newName);
  emitLifecycle(services.events, 'instance-renamed', instancePath(newName), {
    project,
    context: { old_name: name },
    ...(context.requestor && { requestor: context.requestor }),
  });
}

/** The steps after the mark; each succeeds when it was done before. */
export async function finishRename(services: InstanceServices, record: InstanceRecord, newName: string): Promise<void> {
  const { project, name } = record;
  const pool = rootPool(services, record);
  const renamed = { ...record, name: newName };
  try {
    if (await pool.hasVolume(rootVolume(record))) await pool.renameVolume(rootVolume(record), rootVolume(renamed).name);
  } catch (error) {
    await services.database.write(tx => patchInstanceConfig(tx, record.id, { [renameMark]: undefined }));
    throw error;
  }
  await faultPoint('rename.after-volume');
  await unlinkRoot(services, record);
  await linkRoot(services, renamed);
  await renameBackupFolder(services.paths, containerId(project, name), containerId(project, newName));
  await services.runtime.rename(containerId(project, name), containerId(project, newName));
  await services.database.write(async tx => {
    await updateInstance(tx, record, { name: newName });
    const keys = { [renameMark]: undefined, 'volatile.apply_template': 'rename', [cloudInitId]: randomUUID() };
    await patchInstanceConfig(tx, record.id, keys);
  });
  await faultPoint('rename.after-write');
}
