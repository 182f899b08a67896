import { randomUUID } from 'node:crypto';
import { effective } from '#base/config-schema.ts';
import type { Snapshot, Volume } from '../driver.ts';
import { missing } from '../errors.ts';
import { isSnapshot, volumeFolders } from '../layout.ts';
import { locateSnapshot } from './branches.ts';
import { zfsKeys } from './config-keys.ts';
import { ownLabels, ownProperties, rootDataset, volumeDataset, type ZfsContext } from './datasets.ts';
import { pipeStream } from './streams.ts';
import { failedAs, getProperties, zfs, zfsTable } from './zfs-command.ts';

/** Makes dataset `target` with the content of a volume or snapshot, in the way that the pool's config asks for. */
export async function copyDataset(context: ZfsContext, source: Volume | Snapshot, target: string): Promise<void> {
  const mode = effective(zfsKeys, context.config, 'zfs.clone_copy');
  const origin = await originFor(context, source);
  try {
    const whole = mode !== 'true' && (isSnapshot(source) || source.kind !== 'image');
    if (whole) await sendCopy(context, origin.fullName, target, mode === 'rebase');
    else await cloneTree(origin.fullName, target);
  } finally {
    // Deferred: it goes with the last clone of it.
    if (origin.temporary) await zfs(['destroy', '-d', '-r', origin.fullName]);
  }
}

interface Origin {
  readonly fullName: string;
  /** made for this copy */
  readonly temporary: boolean;
}

async function originFor(context: ZfsContext, source: Volume | Snapshot): Promise<Origin> {
  if (isSnapshot(source)) {
    const fullName = await locateSnapshot(context, source);
    if (fullName === undefined) throw missing(source);
    return { fullName, temporary: false };
  }
  const dataset = volumeDataset(context, source);
  const image = source.kind === 'image';
  const fullName = `${dataset}@${image ? ownLabels.image : ownLabels.copy + randomUUID()}`;
  try {
    await zfs(['snapshot', '-r', fullName]);
  } catch (error) {
    if (failedAs(error, 'missing')) throw missing(source);
    if (!image || !failedAs(error, 'taken')) throw error; // that of an image is made once
  }
  return { fullName, temporary: !image };
}

/** Clones a snapshot with the datasets that the guest nested below. */
export async function cloneTree(fullName: string, target: string): Promise<void> {
  const [dataset = '', label = ''] = fullName.split('@');
  for (const nested of await nestedWith(dataset, label)) {
    const relative = nested.slice(dataset.length);
    const properties = relative === '' ? ownProperties : ['-o', 'canmount=noauto'];
    await zfs(['clone', ...properties, `${nested}@${label}`, target + relative]);
  }
}

/** The dataset and those below it that have the snapshot, parents first. */
async function nestedWith(dataset: string, label: string): Promise<readonly string[]> {
  const table = await zfsTable(['list', '-H', '-r', '-t', 'filesystem', '-o', 'name', dataset]);
  const names = table.map(([name = '']) => name);
  if (names.length === 1) return names;
  const snapshots = await zfsTable(['list', '-H', '-r', '-t', 'snapshot', '-o', 'name', dataset]);
  const having = new Set(snapshots.map(([name = '']) => name));
  return names.filter(name => having.has(`${name}@${label}`));
}

/** A copy that shares no blocks with its source; with `rebase` it shares those of the image that both come from. */
async function sendCopy(context: ZfsContext, fullName: string, target: string, rebase: boolean): Promise<void> {
  const [dataset = '', label = ''] = fullName.split('@');
  for (const nested of await nestedWith(dataset, label)) {
    const image = rebase && nested === dataset ? await imageOf(context, fullName) : undefined;
    const base = image === undefined ? [] : ['-i', image];
    const origin = image === undefined ? [] : ['-o', `origin=${image}`];
    const copy = target + nested.slice(dataset.length);
    await pipeStream(
      ['send', '-L', '-c', ...base, `${nested}@${label}`],
      ['receive', '-u', ...ownProperties, ...origin, copy],
    );
  }
  await zfs(['destroy', '-r', `${target}@${label}`]);
}

/** The image snapshot that a dataset is a clone of. */
async function imageOf(context: ZfsContext, fullName: string): Promise<string | undefined> {
  const dataset = fullName.split('@')[0] ?? '';
  const origin = (await getProperties(dataset, ['origin']))?.origin ?? '-';
  return origin.startsWith(`${rootDataset(context)}/${volumeFolders.image}/`) ? origin : undefined;
}
