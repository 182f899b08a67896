import { ApiError } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import type { ReceivedStream, Snapshot, Volume } from '../driver.ts';
import { taken } from '../errors.ts';
import type { CheckTree, StreamTree, TreeReceiver } from '../tree-streams.ts';
import { ensureBranches, locateSnapshot, locateSnapshots } from './branches.ts';
import { volumeDataset, type ZfsContext } from './datasets.ts';
import { destroySnapshot } from './deleted.ts';
import { LineUp } from './line-up.ts';
import { unmountAll } from './mounting.ts';
import { copySettings } from './quota.ts';
import { takePlace } from './restore.ts';
import { branchName } from './snapshots.ts';
import { labelOf, type ReceivedLine, Staging } from './staging.ts';
import { mountStill } from './views.ts';
import { hasVolume } from './volumes.ts';
import { zfs } from './zfs-command.ts';

export async function openReceiver(context: ZfsContext, check: CheckTree): Promise<TreeReceiver> {
  return new ZfsReceiver(context, await Staging.open(context), check);
}

class ZfsReceiver implements TreeReceiver {
  readonly #context: ZfsContext;
  readonly #staging: Staging;
  readonly #check: CheckTree;

  constructor(context: ZfsContext, staging: Staging, check: CheckTree) {
    this.#context = context;
    this.#staging = staging;
    this.#check = check;
  }

  async offer(snapshot: Snapshot): Promise<readonly Pick<StreamTree, 'path' | 'uuid'>[]> {
    const fullName = await locateSnapshot(this.#context, snapshot);
    if (fullName === undefined) return [];
    const lineUp = await LineUp.read(this.#context, snapshot.volume);
    const [dataset = '', label = ''] = fullName.split('@');
    return lineUp.pathsIn(fullName).map(path => {
      const name = `${dataset}${path === '/' ? '' : path}@${label}`;
      const uuid = lineUp.guidOf(name) ?? '';
      this.#staging.offer(uuid, name);
      return { path, uuid };
    });
  }

  async receive(
    { snapshot, path, uuid }: StreamTree,
    _parent: StreamTree | undefined,
    stream: AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const fullName = await this.#staging.receive({ snapshot, path, guid: uuid }, stream, signal);
    if (path !== '/') return;
    await using undo = new Revert(this.#context.log);
    await this.#check(await mountStill(this.#context, fullName, undo));
  }

  /** Snapshots that came although nobody asked for them are what others build on: they take the place of theirs too. */
  async place(volume: Volume): Promise<void> {
    const { dataset, others } = await headOf(this.#staging);
    const old = volumeDataset(this.#context, volume);
    const present = (await locateSnapshots(this.#context, volume)) ?? [];
    await copySettings(old, dataset);
    const came = new Set(this.#staging.lines.flatMap(line => line.snapshots));
    await unmountAll(
      this.#context,
      volume,
      present.map(({ name }) => name),
    );
    const replaced = present.filter(({ name }) => came.has(name)).map(({ fullName }) => fullName);
    await placeBranches(this.#context, volume, others);
    await takePlace(this.#context, volume, dataset, replaced);
  }

  /** As branches: what comes later builds on them all the same. */
  async placeSnapshots(volume: Volume, snapshots: readonly string[]): Promise<void> {
    const { lines } = this.#staging;
    for (const { dataset, snapshots: came } of lines)
      for (const name of came)
        if (!snapshots.includes(name)) await zfs(['destroy', '-r', `${dataset}@${labelOf(name)}`]);
    const present = (await locateSnapshots(this.#context, volume)) ?? [];
    for (const { name, fullName } of present) if (snapshots.includes(name)) await destroySnapshot(fullName);
    const wanted = lines.filter(line => line.snapshots.some(name => snapshots.includes(name)));
    await placeBranches(this.#context, volume, wanted);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#staging[Symbol.asyncDispose]();
  }
}

/** Makes a volume with its snapshots from the streams of a backup. */
export async function receiveChain(
  context: ZfsContext,
  volume: Volume,
  streams: AsyncIterable<ReceivedStream>,
  signal?: AbortSignal,
): Promise<void> {
  if (await hasVolume(context, volume)) throw taken(volume);
  await using staging = await Staging.open(context);
  let whole = false;
  for await (const { snapshot = '', input } of streams) {
    if (whole) throw new ApiError('invalid-argument', 'Malformed backup: a stream follows that of the volume itself');
    await staging.receive({ snapshot, path: '/', guid: '' }, input, signal);
    whole = snapshot === '';
  }
  const { dataset, others } = await headOf(staging);
  await placeBranches(context, volume, others);
  await zfs(['rename', dataset, volumeDataset(context, volume)]);
}

/** The line of the volume itself, without the snapshot that it came as; throws "invalid-argument" when none came. */
async function headOf(
  staging: Staging,
): Promise<{ readonly dataset: string; readonly others: readonly ReceivedLine[] }> {
  const head = staging.lines.find(({ snapshots }) => snapshots.includes(''));
  if (!head) throw new ApiError('invalid-argument', 'The stream of the volume itself is missing');
  await zfs(['destroy', '-r', `${head.dataset}@${labelOf('')}`]);
  return { dataset: head.dataset, others: staging.lines.filter(line => line !== head) };
}

async function placeBranches(context: ZfsContext, volume: Volume, lines: readonly ReceivedLine[]): Promise<void> {
  if (lines.length === 0) return;
  const parent = await ensureBranches(context, volume);
  for (const { dataset } of lines) await zfs(['rename', dataset, `${parent}/${branchName()}`]);
}
