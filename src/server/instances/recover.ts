import { findInstance, type InstanceRecord, listInstanceNames } from '#server/database/instances.ts';
import { listSnapshotRows, type SnapshotRecord } from '#server/database/snapshots.ts';
import { trashMark, untrashMark } from '#server/database/trash.ts';
import { containerId } from '../paths.ts';
import { expandInstance } from './check-instance.ts';
import { deleteHeld } from './delete-instance.ts';
import { stopDevices } from './instance-devices.ts';
import { handOverOf, writeHandOver } from './hand-over.ts';
import type { InstanceServices } from './instance-services.ts';
import { abandonMove, finishMove, moveMarks } from './move-instance.ts';
import { finishRefresh, refreshMark } from './refresh-instance.ts';
import { finishRename, renameMark } from './rename-instance.ts';
import { dropState } from './kept-state.ts';
import { linkRoot, mountRoot } from './root-volume.ts';
import { finishRestore, restoreMark } from './restore-snapshot.ts';
import { finishSnapshotDelete, finishSnapshotRename, snapshotRenameMark } from './snapshots.ts';
import { finishTrash } from './trash-instance.ts';
import { finishUntrash } from './untrash-instance.ts';
import { bootId, bootMark, writeStopped } from './start-instance.ts';
import { holdInstance } from './status.ts';

/**
 * Puts right what a daemon that ended in the middle left: half-made and half-deleted instances and snapshots go, begun
 * renames and restores are finished, running containers are watched again. Called once, when pools and networks are
 * up and before requests are served; an instance that cannot be put right is logged and does not hold up the others.
 */
export async function recoverInstances(services: InstanceServices): Promise<void> {
  await services.runtime.adopt();
  const names = await services.database.read(reader => listInstanceNames(reader));
  for (const { project, name } of names) {
    try {
      await recoverInstance(services, project, name);
    } catch (error) {
      services.log.error('Failed recovering an instance', { project, instance: name, error });
    }
  }
}

async function recoverInstance(services: InstanceServices, project: string, name: string): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'update');
  // Read under the lock: a request that came meanwhile may have made or changed it.
  const { record, snapshots } = await services.database.read(async reader => {
    const record = await findInstance(reader, project, name);
    return { record, snapshots: record ? await listSnapshotRows(reader, record.id) : [] };
  });
  if (!record) return;
  const id = containerId(record.project, record.name);
  if (!record.ready) {
    await services.runtime.kill(id);
    await deleteHeld(services, record);
    return;
  }
  const trashed = record.config[trashMark];
  if (trashed !== undefined) return await finishTrash(services, record, trashed);
  const untrashed = record.config[untrashMark];
  if (untrashed !== undefined) await finishUntrash(services, record, untrashed);
  if (record.config[moveMarks.making] !== undefined) await abandonMove(services, record);
  if (record.config[moveMarks.leaving] !== undefined) await finishMove(services, record);
  if (record.config[refreshMark] !== undefined) await finishRefresh(services, record);
  // Nobody listens any more to what its source would say.
  if (handOverOf(record.config) === 'expected') await writeHandOver(services, record, undefined);
  const restored = record.config[restoreMark];
  if (restored !== undefined) await finishRestore(services, record, restored);
  for (const snapshot of snapshots) await recoverSnapshot(services, record, snapshot);
  const newName = record.config[renameMark];
  if (newName !== undefined) {
    await finishRename(services, record, newName);
    return;
  }
  if (services.runtime.status(id) === 'stopped') {
    if (record.config[bootMark] !== undefined) await afterEnd(services, record);
    await linkRoot(services, record);
    return;
  }
  const volumeFolder = await mountRoot(services, record);
  // It goes on already, or its state was not all written.
  if (record.stateful) await dropState(services, record, volumeFolder);
  await linkRoot(services, record);
}

async function recoverSnapshot(
  services: InstanceServices,
  record: InstanceRecord,
  snapshot: SnapshotRecord,
): Promise<void> {
  const newName = snapshot.config[snapshotRenameMark];
  if (!snapshot.ready) await finishSnapshotDelete(services, record, snapshot);
  else if (newName !== undefined) await finishSnapshotRename(services, record, snapshot, newName);
}

/** The container ended while no daemon watched: with the host, then it comes back, or by itself, then it stays down. */
async function afterEnd(services: InstanceServices, record: InstanceRecord): Promise<void> {
  const { devices } = await services.database.read(reader => expandInstance(reader, record));
  await stopDevices(services, record, devices, record.config);
  const sameBoot = record.config[bootMark] === bootId();
  const handOver = handOverOf(record.config);
  await writeStopped(services, record, sameBoot ? 'STOPPED' : 'RUNNING', handOver);
  if (sameBoot && record.ephemeral && !handOver) await deleteHeld(services, record);
}
