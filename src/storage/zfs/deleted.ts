import { randomUUID } from 'node:crypto';
import { deletedFolder, ownLabels, rootDataset, type ZfsContext } from './datasets.ts';
import { failedAs, zfs, zfsTable } from './zfs-command.ts';

/** Takes a dataset's name away at once and destroys it in the background, when it has no clones any more. */
export async function discardDataset(context: ZfsContext, dataset: string): Promise<void> {
  try {
    await zfs(['rename', dataset, `${rootDataset(context)}/${deletedFolder}/${randomUUID()}`]);
  } catch (error) {
    if (failedAs(error, 'missing')) return;
    throw error;
  }
  sweepLater(context);
}

/** Deletes a snapshot; one with clones loses its name now and is destroyed by ZFS with the last of them. */
export async function destroySnapshot(fullName: string): Promise<void> {
  try {
    await zfs(['destroy', '-r', fullName]);
  } catch (error) {
    if (failedAs(error, 'missing')) return;
    if (!failedAs(error, 'inUse')) throw error;
    const [dataset = ''] = fullName.split('@');
    const aside = `${dataset}@${ownLabels.deleted}${randomUUID()}`;
    await zfs(['rename', '-r', fullName, aside]);
    await zfs(['destroy', '-d', '-r', aside]);
  }
}

const sweeping = new WeakMap<ZfsContext['background'], { again: boolean }>();

/** Destroys deleted datasets whose clones are gone; one sweep at a time. */
export function sweepLater(context: ZfsContext): void {
  const running = sweeping.get(context.background);
  if (running) {
    running.again = true;
    return;
  }
  const state = { again: false };
  sweeping.set(context.background, state);
  context.background.add(`sweeping deleted volumes of storage pool "${context.poolName}"`, async () => {
    try {
      do {
        state.again = false;
        while (await sweepOnce(context)); // what was a clone of one may be the origin of the next
      } while (state.again);
    } finally {
      sweeping.delete(context.background);
    }
  });
}

/** True when something was destroyed. */
async function sweepOnce(context: ZfsContext): Promise<boolean> {
  const deleted = `${rootDataset(context)}/${deletedFolder}`;
  const table = await zfsTable(['list', '-H', '-r', '-t', 'filesystem,snapshot', '-o', 'name,clones', deleted]);
  const held = new Map<string, boolean>();
  for (const [name = '', clones = '-'] of table) {
    const [entry = ''] = name.slice(deleted.length + 1).split(/[/@]/);
    if (entry === '') continue;
    const dataset = `${deleted}/${entry}`;
    const outside = clones.split(',').some(clone => clone !== '-' && clone !== '' && !isWithin(clone, dataset));
    held.set(dataset, (held.get(dataset) ?? false) || outside);
  }
  let destroyed = false;
  for (const [dataset, isHeld] of held) {
    if (isHeld) continue;
    destroyed = (await destroyDataset(dataset)) || destroyed;
  }
  return destroyed;
}

/** False when it is in use after all: by a mount in another namespace, or by a clone that was made meanwhile. */
async function destroyDataset(dataset: string): Promise<boolean> {
  try {
    await zfs(['destroy', '-r', dataset]);
    return true;
  } catch (error) {
    if (failedAs(error, 'missing') || failedAs(error, 'inUse')) return false;
    throw error;
  }
}

function isWithin(name: string, dataset: string): boolean {
  return name === dataset || name.startsWith(`${dataset}/`);
}
