import { parseBoolean } from '#base/config-schema.ts';
import { parseSchedule } from '#base/schedule.ts';
import type { ConfigMap } from '#api/common.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { listSnapshotRows } from '#server/database/snapshots.ts';
import { containerId } from '../paths.ts';
import { isSnapshotDue, namesToPrune, scheduledMark } from '../snapshot-schedule.ts';
import { listExpanded } from './expand-many.ts';
import type { ActionContext, InstanceServices } from './instance-services.ts';
import { createSnapshot, createSnapshotHeld, deleteSnapshot } from './snapshots.ts';

const scheduled = { config: { [scheduledMark]: 'true' } };

/** Takes the snapshots of the given minutes, one of each instance at most; one that fails is logged. */
export async function takeScheduledSnapshots(services: InstanceServices, minutes: readonly Date[]): Promise<void> {
  if (minutes.length === 0) return;
  for (const { record, expanded } of await services.database.read(listExpanded)) {
    const { config } = expanded;
    if (!record.ready || !isSnapshotDue(config, minutes)) continue;
    const stopped = services.runtime.status(containerId(record.project, record.name)) === 'stopped';
    if (stopped && !(parseBoolean(config['snapshots.schedule.stopped'] ?? 'false') ?? false)) continue;
    await attempt(services, record, 'Failed taking a scheduled snapshot', async () => {
      await createSnapshot(services, record.project, record.name, scheduled);
      await pruneSnapshots(services, record, config);
    });
  }
}

/** For an instance whose schedule names "@startup"; the caller holds its lock. A failure does not keep it from starting. */
export async function snapshotAtStart(
  services: InstanceServices,
  record: InstanceRecord,
  config: ConfigMap,
  context: ActionContext,
): Promise<void> {
  if (!parseSchedule(config['snapshots.schedule'] ?? '')?.atStartup) return;
  await attempt(services, record, 'Failed taking the snapshot before a start', async () => {
    await createSnapshotHeld(services, record.project, record.name, scheduled, context);
  });
}

/** Deletes scheduled snapshots that the retention set does not keep. */
async function pruneSnapshots(services: InstanceServices, record: InstanceRecord, config: ConfigMap): Promise<void> {
  const list = () => services.database.read(reader => listSnapshotRows(reader, record.id));
  for (const name of await namesToPrune(config, list))
    await deleteSnapshot(services, record.project, record.name, name);
}

async function attempt(
  { log }: InstanceServices,
  { project, name }: InstanceRecord,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error(what, { project, instance: name, error });
  }
}
