import { faultPoint } from '#base/fault-point.ts';
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
import { rootPool, rootVolume } from '../instances/root-volume.ts';
import { finishSnapshotDelete } from '../instances/snapshots.ts';
import { holdInstance } from '../instances/status.ts';
import { type Meeting, meet } from './channels.ts';
import type { SnapshotEntry } from './messages.ts';
import { rsyncSettings } from './pool-settings.ts';
import { type Incoming, receive } from './sink.ts';
import { secondsOf, snapshotOf } from './snapshot-entries.ts';
import type { TransferContext } from './source.ts';

interface Refreshed {
  readonly project: string;
  readonly name: string;
  readonly alone: boolean;
}

/** Brings a stopped instance and its snapshots to what another server has. Until all of that has come it stays as it is. */
export async function refreshInstance(
  services: InstanceServices,
  { project, name, alone }: Refreshed,
  read: () => Promise<InstanceRecord>,
  meeting: Meeting,
  context: TransferContext & ActionContext,
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'copy', context.signal);
  const record = await read();
  const known = await services.database.read(reader => listSnapshotRows(reader, record.id));
  await using revert = new Revert(services.log);
  const steps = new RefreshSteps(services, record, known, revert);
  const { compress } = await rsyncSettings(services, record.pool);
  const incoming: Incoming = {
    pool: rootPool(services, record),
    volume: rootVolume(record),
    refresh: true,
    alone,
    compress,
    known: known.filter(({ ready }) => ready).map(one => ({ name: one.name, createdAt: secondsOf(one.createdAt) })),
    begin: (wanted, gone) => steps.begin(wanted, alone ? [] : gone),
    complete: () => steps.complete(),
  };
  await receive(incoming, await meet(meeting, context.signal), context);
  emitLifecycle(services.events, 'instance-updated', instancePath(name), {
    project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}

/** The rows of the snapshots that come and go. */
class RefreshSteps {
  readonly #services: InstanceServices;
  readonly #record: InstanceRecord;
  readonly #known: readonly SnapshotRecord[];
  readonly #revert: Revert;
  #added: readonly number[] = [];
  #replaced: readonly SnapshotEntry[] = [];
  #gone: readonly SnapshotRecord[] = [];

  constructor(services: InstanceServices, record: InstanceRecord, known: readonly SnapshotRecord[], revert: Revert) {
    this.#services = services;
    this.#record = record;
    this.#known = known;
    this.#revert = revert;
  }

  /** Rows of new snapshots, not ready: a daemon that dies from here on deletes them with what bears their name. */
  async begin(wanted: readonly SnapshotEntry[], gone: readonly string[]): Promise<void> {
    const { database } = this.#services;
    const isKnown = ({ name }: SnapshotEntry): boolean => this.#known.some(here => here.name === name);
    this.#replaced = wanted.filter(isKnown);
    this.#gone = this.#known.filter(({ name }) => gone.includes(name));
    const fresh = wanted.filter(entry => !isKnown(entry));
    this.#added = await database.write(tx =>
      Promise.all(
        fresh.map(entry => insertSnapshot(tx, { ...snapshotOf(entry), instanceId: this.#record.id, ready: false })),
      ),
    );
    for (const [index, id] of this.#added.entries())
      this.#revert.add('inserting the row of a snapshot', async () => {
        const volume = rootVolume(this.#record);
        await rootPool(this.#services, this.#record).deleteSnapshot({ volume, name: fresh[index]?.name ?? '' });
        await database.write(tx => deleteSnapshotRow(tx, id));
      });
    await faultPoint('refresh.after-row');
  }

  async complete(): Promise<void> {
    const services = this.#services;
    await faultPoint('refresh.after-volume');
    await services.database.write(async tx => {
      for (const entry of this.#replaced) {
        const old = this.#known.find(({ name }) => name === entry.name);
        if (old) await deleteSnapshotRow(tx, old.id);
        await insertSnapshot(tx, { ...snapshotOf(entry), instanceId: this.#record.id });
      }
      for (const id of this.#added) await setSnapshotReady(tx, id, true);
      for (const { id } of this.#gone) await setSnapshotReady(tx, id, false);
    });
    this.#revert.commit();
    await faultPoint('refresh.after-write');
    for (const snapshot of this.#gone) await finishSnapshotDelete(services, this.#record, snapshot);
  }
}
