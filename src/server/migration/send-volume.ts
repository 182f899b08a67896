import type { VolumeRecord } from '#server/database/storage-volumes.ts';
import { listVolumeSnapshots } from '#server/database/volume-snapshots.ts';
import { type CustomAt, onDisk, readyVolume, type VolumeServices } from '../volumes/volume.ts';
import { type Meeting, meet } from './channels.ts';
import { rsyncSettings } from './pool-settings.ts';
import { send, type TransferContext } from './source.ts';
import { describeVolume, volumeEntryOf } from './volume-entries.ts';

/** Sends a custom volume, or what it was at a snapshot, to another server. */
export async function sendVolume(
  services: VolumeServices,
  at: CustomAt,
  options: { readonly snapshot?: string | undefined; readonly alone: boolean },
  meeting: Meeting,
  context: TransferContext,
): Promise<void> {
  const { record, snapshots } = await services.database.read(async reader => {
    const record: VolumeRecord = await readyVolume(reader, at);
    return { record, snapshots: (await listVolumeSnapshots(reader, record.id)).filter(({ ready }) => ready) };
  });
  const sent = options.alone || options.snapshot !== undefined ? [] : snapshots;
  const outgoing = {
    pool: services.pools.get(at.pool),
    volume: onDisk(at),
    ...(options.snapshot !== undefined && { head: options.snapshot }),
    snapshots: sent.map(volumeEntryOf),
    running: false,
    allowInconsistent: false,
    ...(await rsyncSettings(services, at.pool)),
    describe: (names: readonly string[]) =>
      describeVolume(
        record,
        sent.filter(({ name }) => names.includes(name)),
      ),
  };
  await send(outgoing, await meet(meeting, context.signal), context);
}
