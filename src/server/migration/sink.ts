import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import { faultPoint } from '#base/fault-point.ts';
import { snapshotNameProblem } from '#base/names.ts';
import type { Volume } from '#storage/driver.ts';
import { openReceiver, placeReceived, placeReceivedSnapshots, streamFormat } from '#storage/pool-streams.ts';
import type { Pool } from '#storage/pool.ts';
import { receiveSubvolumes } from './btrfs-transfer.ts';
import { checkReceived } from './check-received.ts';
import { CutOff, wasCutOff } from './cut-off.ts';
import { compareSnapshots, type KnownSnapshot } from './compare-snapshots.ts';
import { ControlChannel, explanationMs } from '#protocol/control-channel.ts';
import { FrameChannel } from '#protocol/frame-channel.ts';
import type { IdRangeEntry, MigrationHeader, SnapshotEntry } from '#protocol/messages.ts';
import { type Agreement, agree } from '#protocol/negotiate.ts';
import { Progress } from './progress.ts';
import { receiveByRsync, type Watch } from './rsync-transfer.ts';
import { type Channels, close, type TransferContext } from './source.ts';
import { receiveDatasets } from './zfs-transfer.ts';

/** A volume that is there and shall become what another server has; until all of that has come it stays as it is. */
export interface Incoming {
  readonly pool: Pool;
  readonly volume: Volume;
  readonly refresh: boolean;
  /** without snapshots, whatever the source offers */
  readonly alone: boolean;
  readonly compress: boolean;
  /** snapshots of the volume that are there */
  readonly known: readonly KnownSnapshot[];
  /** Called when it is clear which snapshots will come and which of those that are here the source has no more. */
  begin(wanted: readonly SnapshotEntry[], gone: readonly string[]): Promise<void>;
  /** Called when everything is in place: the last moment that can fail. */
  complete(): Promise<void>;
  readonly arrival?: Arrival | undefined;
  /** Called in the place of complete() when the connection broke and these snapshots are in place, but not the rest. */
  readonly keepPart?: ((snapshots: readonly string[]) => Promise<void>) | undefined;
}

/** What is received from a server that lets it go when everything has come: then it has to run here. */
export interface Arrival {
  /** Called before the source is told that everything has come. */
  expect(): Promise<void>;
  /** Called when the source has let it go. */
  start(): Promise<void>;
  /** Called when the source has not, or when it does not start: it must not start later. */
  fail(): Promise<void>;
}

const maxSnapshots = 10_000;

/** Receives a volume and tells the source how it ended. */
export async function receive(incoming: Incoming, channels: Channels, context: TransferContext): Promise<void> {
  const control = new ControlChannel(channels.control);
  const fs = new FrameChannel(channels.fs, kernel.freeBytes);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const hangUp = (): void => close(channels);
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    signal.throwIfAborted();
    const word = await transfer(incoming, control, fs, { ...context, signal }, stop);
    await incoming.complete();
    if (incoming.arrival) await takeOver(incoming.arrival, control, word.next);
    await control.tell(undefined);
  } catch (error) {
    if (error instanceof CutOff) throw await keepPart(incoming, error);
    // The files may stop coming before the source has said why.
    if (ApiError.is(error, 'unavailable') && !signal.aborted)
      await sleep(explanationMs, undefined, { signal }).catch(() => undefined);
    const reason = signal.aborted ? (signal.reason as Error) : (error as Error);
    await control.tell(reason.message);
    throw reason;
  } finally {
    signal.removeEventListener('abort', hangUp);
    close(channels);
  }
}

/** Returns what to tell whoever asked for the transfer. */
async function keepPart(incoming: Incoming, cutOff: CutOff): Promise<Error> {
  await incoming.keepPart?.(cutOff.snapshots);
  const kept = 'what has arrived stays for a week: go on with "--resume"';
  return new ApiError('unavailable', `${cutOff.message}; ${kept}`, { cause: cutOff });
}

/** Tells the source that everything has come, and starts it when the source has let it go. */
async function takeOver(arrival: Arrival, control: ControlChannel, released: Promise<void>): Promise<void> {
  try {
    await arrival.expect();
    await faultPoint('take-over.after-files');
    await control.tell(undefined);
    await released;
    await arrival.start();
  } catch (error) {
    await arrival.fail();
    throw error;
  }
}

/** Resolves with what the source says next. */
async function transfer(
  incoming: Incoming,
  control: ControlChannel,
  fs: FrameChannel,
  context: TransferContext,
  stop: AbortController,
): Promise<{ readonly next: Promise<void> }> {
  const { pool, refresh } = incoming;
  const offer = await control.header();
  const offered = incoming.alone ? [] : checkSnapshots(offer);
  const { wanted, gone } = refresh ? compareSnapshots(offered, incoming.known) : { wanted: offered, gone: [] };
  const agreement = agree(offer, { streams: streamFormat(pool), compress: incoming.compress }, refresh);
  const indexVersion = Math.min(1, offer.indexVersion);
  await incoming.begin(wanted, gone);
  control.sendHeader({
    ...agreement,
    state: offer.state === 'none' ? 'none' : undefined,
    idmap: [],
    snapshotNames: wanted.map(snapshot => snapshot.name),
    snapshots: wanted,
    predump: false,
    refresh,
    indexVersion,
  });
  // From here on the source only speaks on this channel to say that it failed, or that it lets the instance go.
  const next = control.verdict();
  next.catch((error: unknown) => stop.abort(error));
  if (indexVersion >= 1) {
    await fs.json();
    await fs.sendJson({ StatusCode: 200, Error: '', Refresh: refresh });
  }
  const progress = new Progress(incoming.volume.name, context);
  const watch = { count: progress.count, signal: context.signal };
  const names = wanted.map(snapshot => snapshot.name);
  const twice = offer.state === 'none';
  if (agreement.type !== 'rsync') await receiveNative(incoming, { fs, agreement, names, offer }, watch);
  else await receiveFiles(incoming, { fs, agreement, names, twice, offer }, watch);
  context.update({ fs_bytes: progress.bytes });
  return { next };
}

async function receiveNative(
  { pool, volume, refresh, known, keepPart }: Incoming,
  { fs, agreement, names, offer }: Omit<Files, 'twice'>,
  watch: Watch,
): Promise<void> {
  await using receiver = await openReceiver(pool, folder => checkReceived(volume.kind, folder));
  if (!receiver) throw new ApiError('internal', 'The storage pool takes no streams after all');
  const target = { volume, refresh, known: known.map(({ name }) => name).filter(name => !names.includes(name)) };
  const { zfs } = agreement;
  const whole: string[] = [];
  const onWhole = (snapshot: string): unknown => whole.push(snapshot);
  try {
    if (zfs) await receiveDatasets(fs, receiver, { ...target, onWhole, ...zfs, offered: offer.snapshotNames }, watch);
    else await receiveSubvolumes(fs, receiver, { ...target, onWhole }, watch);
    watch.signal.throwIfAborted();
  } catch (error) {
    const snapshots = whole.filter(name => name !== '');
    if (!keepPart || snapshots.length === 0 || !(await wasCutOff(error, fs, watch.signal))) throw error;
    await placeReceivedSnapshots(pool, receiver, volume, snapshots);
    throw new CutOff(snapshots, error);
  }
  await placeReceived(pool, receiver, volume, names);
}

interface Files {
  readonly fs: FrameChannel;
  readonly agreement: Agreement;
  readonly names: readonly string[];
  readonly twice: boolean;
  readonly offer: MigrationHeader;
}

async function receiveFiles(
  { pool, volume, keepPart }: Incoming,
  { fs, agreement, names, twice, offer }: Files,
  watch: Watch,
): Promise<void> {
  const idmap = shiftOf(offer.idmap);
  const options = { features: agreement.rsync, ...(idmap && { idmap }) };
  let cutOff: CutOff | undefined;
  await pool.refillVolume(volume, async (folder, keepSnapshot) => {
    const whole: string[] = [];
    const next = async (): Promise<void> => {
      await receiveByRsync(fs, folder, options, watch);
      await checkReceived(volume.kind, folder);
    };
    try {
      for (const name of names) {
        await next();
        await keepSnapshot(name);
        whole.push(name);
      }
      await next();
      if (twice) await next();
      watch.signal.throwIfAborted();
    } catch (error) {
      if (!keepPart || !(await wasCutOff(error, fs, watch.signal))) throw error;
      // The half of the rest is what the next attempt begins with.
      await checkReceived(volume.kind, folder);
      cutOff = new CutOff(whole, error);
    }
  });
  if (cutOff) throw cutOff;
}

function checkSnapshots({ snapshots, snapshotNames }: MigrationHeader): readonly SnapshotEntry[] {
  if (snapshots.length > maxSnapshots || snapshots.length !== snapshotNames.length)
    throw new ApiError('invalid-argument', 'The other server offers a malformed list of snapshots');
  for (const { name } of snapshots) {
    const problem = snapshotNameProblem(name);
    if (problem !== undefined)
      throw new ApiError('invalid-argument', `The other server offers a snapshot whose name ${problem}`);
  }
  if (new Set(snapshots.map(snapshot => snapshot.name)).size !== snapshots.length)
    throw new ApiError('invalid-argument', 'The other server offers two snapshots of one name');
  return snapshots;
}

/** How ids are shifted on the source's disk: undefined when they are the guest's own. Only one range is known here. */
function shiftOf(idmap: readonly IdRangeEntry[]): { hostBase: number; size: number } | undefined {
  const [first] = idmap;
  if (!first) return undefined;
  const same = idmap.every(
    ({ hostId, containerId, size }) => hostId === first.hostId && containerId === 0 && size === first.size,
  );
  const sane = first.hostId > 0 && first.size > 0 && first.hostId + first.size < 2 ** 32;
  if (same && sane && idmap.some(range => range.isUid) && idmap.some(range => range.isGid))
    return { hostBase: first.hostId, size: first.size };
  throw new ApiError('unsupported', 'Cannot take an instance whose ids on disk are shifted by more than one range');
}
