import { Revert } from '#base/revert.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import {
  deleteSnapshotRow,
  insertSnapshot,
  listSnapshotRows,
  setSnapshotReady,
  type SnapshotRecord,
} from '#server/database/snapshots.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { type ActionContext, instancePath, type InstanceServices } from '../instances/instance-services.ts';
import { isPartial, markPartial } from '../instances/partial.ts';
import { rootPool, rootVolume } from '../instances/root-volume.ts';
import { holdInstance } from '../instances/status.ts';
import { type Meeting, meet } from './channels.ts';
import { arrivalOf } from './hand-over.ts';
import { rsyncSettings } from './pool-settings.ts';
import { RefreshSteps, type SnapshotRows } from './refresh-steps.ts';
import { type Incoming, receive } from './sink.ts';
import { secondsOf, snapshotOf } from './snapshot-entries.ts';
import type { TransferContext } from './source.ts';

interface Refreshed {
  readonly project: string;
  readonly name: string;
  readonly alone: boolean;
  /** it runs here afterwards, and no more at the source */
  readonly takesOver: boolean;
}

/** Brings a stopped instance and its snapshots to what another server has. Until all of that has come it stays as it is. */
export async function refreshInstance(
  services: InstanceServices,
  { project, name, alone, takesOver }: Refreshed,
  read: () => Promise<InstanceRecord>,
  meeting: Meeting,
  context: TransferContext & ActionContext,
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'copy', context.signal);
  const record = await read();
  const known = await services.database.read(reader => listSnapshotRows(reader, record.id));
  await using revert = new Revert(services.log);
  const steps = new RefreshSteps(services.database, snapshotRows(services, record, known), revert);
  const { compress } = await rsyncSettings(services, record.pool);
  const incoming: Incoming = {
    pool: rootPool(services, record),
    volume: rootVolume(record),
    refresh: true,
    alone,
    compress,
    known: known.filter(({ ready }) => ready).map(one => ({ name: one.name, createdAt: secondsOf(one.createdAt) })),
    begin: (wanted, gone) => steps.begin(wanted, alone ? [] : gone),
    complete: async () => {
      await steps.complete();
      await services.database.write(tx => markPartial(tx, record.id, false));
    },
    keepPart: isPartial(record) ? names => steps.completePart(names) : undefined,
    arrival: takesOver ? arrivalOf(services, record, false, context) : undefined,
  };
  await receive(incoming, await meet(meeting, context.signal), context);
  emitLifecycle(services.events, 'instance-updated', instancePath(name), {
    project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}

function snapshotRows(
  services: InstanceServices,
  record: InstanceRecord,
  known: readonly SnapshotRecord[],
): SnapshotRows {
  const volume = rootVolume(record);
  return {
    known,
    insert: (tx, entry, ready) => insertSnapshot(tx, { ...snapshotOf(entry), instanceId: record.id, ready }),
    setReady: setSnapshotReady,
    deleteRow: deleteSnapshotRow,
    deleteContent: name => rootPool(services, record).deleteSnapshot({ volume, name }),
  };
}
