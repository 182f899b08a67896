import type { WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { Volume } from '#storage/driver.ts';
import { openSender, streamFormat } from '#storage/pool-streams.ts';
import type { Pool } from '#storage/pool.ts';
import type { TreeSender } from '#storage/tree-streams.ts';
import { sendSubvolumes } from './btrfs-transfer.ts';
import { ControlChannel } from '#protocol/control-channel.ts';
import { FrameChannel } from '#protocol/frame-channel.ts';
import type { SnapshotEntry } from '#protocol/messages.ts';
import { type Abilities, type Agreement, agreed, offerOf } from '#protocol/negotiate.ts';
import { Pace } from './pace.ts';
import { Progress } from './progress.ts';
import { sendByRsync, type Watch } from './rsync-transfer.ts';
import { sendDatasets } from './zfs-transfer.ts';

/** A volume that is to be sent, with what its receiver is told of it. */
export interface Outgoing {
  readonly pool: Pool;
  readonly volume: Volume;
  /** sends this snapshot in the place of the volume itself */
  readonly head?: string;
  /** oldest first */
  readonly snapshots: readonly SnapshotEntry[];
  /** somebody may write to it meanwhile: by rsync it is sent twice */
  readonly running: boolean;
  readonly allowInconsistent: boolean;
  /** pool keys rsync.bwlimit, in bytes a second, and rsync.compression */
  readonly bandwidth: number | undefined;
  readonly compress: boolean;
  /** Called when the target has everything and is to start it: from then on it is the target's. */
  readonly release?: (() => Promise<void>) | undefined;
  /** description of instance, volume and these snapshots, as backups hold it */
  describe(snapshots: readonly string[]): unknown;
}

/** Websockets of a migration. */
export interface Channels {
  readonly control: WebSocket;
  readonly fs: WebSocket;
}

export interface TransferContext {
  readonly signal: AbortSignal;
  /** progress, as operations tell it */
  update(metadata: Readonly<Record<string, unknown>>): void;
}

/** Sends a volume; resolves when the target has said that it has everything. The source is left as it is, whatever happens. */
export async function send(outgoing: Outgoing, channels: Channels, context: TransferContext): Promise<void> {
  const control = new ControlChannel(channels.control);
  const fs = new FrameChannel(channels.fs, kernel.freeBytes);
  const hangUp = (): void => close(channels);
  context.signal.addEventListener('abort', hangUp, { once: true });
  try {
    context.signal.throwIfAborted();
    await transfer(outgoing, control, fs, context);
  } catch (error) {
    const reason = context.signal.aborted
      ? (context.signal.reason as Error)
      : ((await control.explanation()) ?? (error as Error));
    await control.tell(reason.message);
    throw reason;
  } finally {
    context.signal.removeEventListener('abort', hangUp);
    close(channels);
  }
}

async function transfer(
  outgoing: Outgoing,
  control: ControlChannel,
  fs: FrameChannel,
  context: TransferContext,
): Promise<void> {
  const { pool, volume } = outgoing;
  const all = outgoing.snapshots.map(snapshot => snapshot.name);
  await using sender = await openSender(pool, volume, all, outgoing.head);
  const own: Abilities = { streams: streamFormat(pool), common: sender?.common, compress: outgoing.compress };
  control.sendHeader({
    ...offerOf(own),
    state: outgoing.running ? 'none' : undefined,
    idmap: [],
    snapshotNames: all,
    snapshots: outgoing.snapshots,
    predump: false,
    indexVersion: 1,
  });
  const answer = await control.header();
  const agreement = agreed(answer, own);
  if (!agreement) throw new ApiError('unsupported', 'The other server wants the files in a way that was not offered');
  const refresh = answer.refresh === true;
  const wanted = refresh ? all.filter(name => answer.snapshotNames.includes(name)) : all;
  if (answer.indexVersion >= 1) await sendIndex(fs, outgoing.describe(wanted));

  const progress = new Progress(volume.name, context);
  const watch = { count: progress.count, signal: context.signal };
  const paced = { ...watch, pace: new Pace(outgoing.bandwidth, context.signal) };
  if (sender && agreement.type === 'btrfs') await sendSubvolumes(fs, sender, refresh, paced);
  else if (sender && agreement.zfs) await sendDatasets(fs, sender, { refresh, features: agreement.zfs }, paced);
  else {
    const twice = outgoing.running && answer.state === 'none';
    await sendFiles(outgoing, { fs, agreement, wanted, twice, sender }, watch);
  }
  context.update({ fs_bytes: progress.bytes });
  // The target may take its time to put everything in place; a verdict that it failed comes this way too.
  await control.verdict();
  if (!outgoing.release) return;
  await outgoing.release();
  await control.tell(undefined);
  await control.verdict();
}

async function sendIndex(fs: FrameChannel, config: unknown): Promise<void> {
  await fs.sendJson({ config });
  const answer = (await fs.json()) as { StatusCode?: unknown; Error?: unknown } | null;
  if (answer?.StatusCode === 200) return;
  const reason = typeof answer?.Error === 'string' ? answer.Error : '';
  throw new ApiError('failed-precondition', `The other server refused the description of the instance: ${reason}`);
}

interface Files {
  readonly fs: FrameChannel;
  readonly agreement: Agreement;
  readonly wanted: readonly string[];
  readonly twice: boolean;
  readonly sender: TreeSender | undefined;
}

async function sendFiles(
  { pool, volume, head, bandwidth, running, allowInconsistent }: Outgoing,
  { fs, agreement, wanted, twice, sender }: Files,
  watch: Watch,
): Promise<void> {
  if (sender && sender.stillFolder === undefined) {
    const reason = 'it holds nested volumes, which only one like this with the same file system can take';
    throw new ApiError('unsupported', `Cannot send "${volume.name}" to that server: ${reason}`);
  }
  // rsync takes units of 1024 bytes a second
  const limit = bandwidth && String(Math.max(1, Math.round(bandwidth / 1024)));
  const options = { features: agreement.rsync, bandwidth: limit || undefined, allowVanished: false };
  for (const name of wanted)
    await pool.withMounted({ volume, name }, folder => sendByRsync(fs, folder, options, watch));
  const still = sender?.stillFolder;
  const content = head === undefined ? volume : { volume, name: head };
  if (twice) {
    const first = { ...options, allowVanished: true };
    await pool.withMounted(content, folder => sendByRsync(fs, still ?? folder, first, watch));
  }
  const last = { ...options, allowVanished: running && allowInconsistent };
  await pool.withMounted(content, folder => sendByRsync(fs, still ?? folder, last, watch));
}

export function close({ control, fs }: Channels): void {
  for (const socket of [fs, control]) socket.close();
}
