import { type BigIntStats, readlinkSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Folder } from '../trees/folder.ts';
import { type TreeChange, sorted } from './tree-change.ts';

/**
 * Compares two trees by names, kinds, sizes, times, owners and modes. Folders are walked through their handles: a link
 * that a guest puts in the place of one leads nowhere.
 */
export async function walkDiff(before: string, after: string): Promise<readonly TreeChange[]> {
  const changes: TreeChange[] = [];
  using one = Folder.open(before);
  using other = Folder.open(after);
  await compare(one, other, '', changes);
  return sorted(changes);
}

async function compare(one: Folder, other: Folder, at: string, changes: TreeChange[]): Promise<void> {
  const [old, fresh] = await Promise.all([entries(one), entries(other)]);
  for (const [name, stats] of old) {
    const now = fresh.get(name);
    const where = at === '' ? name : `${at}/${name}`;
    if (!now) {
      changes.push({ path: where, kind: 'removed' });
      if (stats.isDirectory()) await listAll(one, name, where, 'removed', changes);
      continue;
    }
    if (differs(stats, now, () => linkIn(one, name) !== linkIn(other, name)))
      changes.push({ path: where, kind: 'changed' });
    if (!stats.isDirectory() || !now.isDirectory()) continue;
    using inOld = one.find(name);
    using inNew = other.find(name);
    if (inOld && inNew) await compare(inOld, inNew, where, changes);
  }
  for (const [name, stats] of fresh) {
    if (old.has(name)) continue;
    const where = at === '' ? name : `${at}/${name}`;
    changes.push({ path: where, kind: 'added' });
    if (stats.isDirectory()) await listAll(other, name, where, 'added', changes);
  }
}

async function listAll(
  parent: Folder,
  name: string,
  at: string,
  kind: 'added' | 'removed',
  changes: TreeChange[],
): Promise<void> {
  using folder = parent.find(name);
  if (!folder) return;
  for (const [entry, stats] of await entries(folder)) {
    changes.push({ path: `${at}/${entry}`, kind });
    if (stats.isDirectory()) await listAll(folder, entry, `${at}/${entry}`, kind, changes);
  }
}

async function entries(folder: Folder): Promise<ReadonlyMap<string, BigIntStats>> {
  const here = `/proc/self/fd/${String(folder.descriptor)}`;
  const found = new Map<string, BigIntStats>();
  for (const name of await readdir(here)) {
    const stats = await lstat(path.join(here, name), { bigint: true }).catch(() => undefined);
    if (stats) found.set(name, stats); // else the guest has deleted it since
  }
  return found;
}

function differs(one: BigIntStats, other: BigIntStats, linksDiffer: () => boolean): boolean {
  if (one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid) return true;
  if (one.isDirectory()) return false;
  if (one.isSymbolicLink()) return linksDiffer();
  return one.size !== other.size || one.mtimeNs !== other.mtimeNs || one.rdev !== other.rdev;
}

function linkIn(folder: Folder, name: string): string {
  return readlinkSync(path.join(`/proc/self/fd/${String(folder.descriptor)}`, name));
}
