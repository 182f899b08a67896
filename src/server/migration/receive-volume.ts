import { Revert } from '#base/revert.ts';
import {
  deleteVolumeSnapshotRow,
  insertVolumeSnapshot,
  listVolumeSnapshots,
  updateVolumeSnapshot,
  type VolumeSnapshotRecord,
} from '#server/database/volume-snapshots.ts';
import { createVolume, type NewCustomVolume } from '../volumes/create-volume.ts';
import {
  type ActionContext,
  assertNotRunning,
  type CustomAt,
  holdVolume,
  onDisk,
  readyVolume,
  tell,
  type VolumeServices,
} from '../volumes/volume.ts';
import { type Meeting, meet } from './channels.ts';
import type { SnapshotEntry } from '#protocol/messages.ts';
import { rsyncSettings } from './pool-settings.ts';
import { RefreshSteps, type SnapshotRows } from './refresh-steps.ts';
import { type Incoming, receive } from './sink.ts';
import { secondsOf } from './snapshot-entries.ts';
import type { TransferContext } from './source.ts';
import { volumeSnapshotOf } from './volume-entries.ts';

/** Makes a custom volume of what another server sends. */
export async function receiveVolume(
  services: VolumeServices,
  request: Omit<NewCustomVolume, 'source' | 'receive'>,
  alone: boolean,
  meeting: Meeting,
  context: TransferContext & ActionContext,
): Promise<void> {
  await createVolume(
    services,
    {
      ...request,
      receive: async complete => {
        let arrived: readonly SnapshotEntry[] = [];
        const incoming: Incoming = {
          ...(await placeOf(services, request)),
          refresh: false,
          alone,
          known: [],
          begin: wanted => {
            arrived = wanted;
            return Promise.resolve();
          },
          complete: () => complete(arrived.map(entry => volumeSnapshotOf(request.name, entry))),
        };
        await receive(incoming, await meet(meeting, context.signal), context);
      },
    },
    context,
  );
}

/** Brings a custom volume that no running instance uses, with its snapshots, to what another server has. */
export async function refreshReceivedVolume(
  services: VolumeServices,
  at: CustomAt,
  alone: boolean,
  meeting: Meeting,
  context: TransferContext & ActionContext,
): Promise<void> {
  using _lock = await holdVolume(services, at, 'refresh', context.signal);
  const { record, known } = await services.database.read(async reader => {
    const record = await readyVolume(reader, at);
    await assertNotRunning(services, reader, at, 'refresh');
    return { record, known: await listVolumeSnapshots(reader, record.id) };
  });
  await using revert = new Revert(services.log);
  const steps = new RefreshSteps(services.database, snapshotRows(services, at, record.id, known), revert);
  const incoming: Incoming = {
    ...(await placeOf(services, at)),
    refresh: true,
    alone,
    known: known.filter(({ ready }) => ready).map(one => ({ name: one.name, createdAt: secondsOf(one.createdAt) })),
    begin: (wanted, gone) => steps.begin(wanted, alone ? [] : gone),
    complete: () => steps.complete(),
  };
  await receive(incoming, await meet(meeting, context.signal), context);
  tell(services, 'storage-volume-updated', at, context);
}

async function placeOf(
  services: VolumeServices,
  at: CustomAt,
): Promise<Pick<Incoming, 'pool' | 'volume' | 'compress'>> {
  const { compress } = await rsyncSettings(services, at.pool);
  return { pool: services.pools.get(at.pool), volume: onDisk(at), compress };
}

function snapshotRows(
  services: VolumeServices,
  at: CustomAt,
  volumeId: number,
  known: readonly VolumeSnapshotRecord[],
): SnapshotRows {
  return {
    known,
    insert: (tx, entry, ready) => insertVolumeSnapshot(tx, { ...volumeSnapshotOf(at.name, entry), volumeId, ready }),
    setReady: (tx, id, ready) => updateVolumeSnapshot(tx, id, { ready }),
    deleteRow: deleteVolumeSnapshotRow,
    deleteContent: name => services.pools.get(at.pool).deleteSnapshot({ volume: onDisk(at), name }),
  };
}
