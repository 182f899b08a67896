import path from 'node:path';
import { kernel } from '#native/kernel.ts';
import { removeTree } from '../copy-tree.ts';
import { type Folder, hasCode } from '../trees/folder.ts';

/**
 * Snapshots `source` with the subvolumes that a guest nested in it as `name` in folder `target`. On failure nothing
 * bears the name.
 */
export async function snapshotTree(source: Folder, target: Folder, name: string, readOnly: boolean): Promise<void> {
  const nested = await kernel.btrfsNestedSubvolumes(source.descriptor);
  // Read-only in the one ioctl: setting it afterwards would be a second transaction.
  await kernel.btrfsSnapshot(source.descriptor, target.descriptor, name, readOnly && nested.length === 0);
  if (nested.length === 0) return;
  try {
    using top = target.child(name);
    for (const relative of nested) await snapshotNested(source, top, relative);
    if (readOnly) await makeReadOnly(top, nested);
  } catch (error) {
    await deleteTree(target, name);
    throw error;
  }
}

/** In a snapshot an empty folder stands where a nested subvolume was (btrfs-subvolume(8)). */
async function snapshotNested(source: Folder, top: Folder, relative: string): Promise<void> {
  using nested = source.find(relative);
  if (!nested) return; // the guest has deleted it since
  using parent = top.child(path.dirname(relative));
  parent.removeEmpty(path.basename(relative));
  await kernel.btrfsSnapshot(nested.descriptor, parent.descriptor, path.basename(relative), false);
}

/** Children first: a read-only parent would not let them change. */
async function makeReadOnly(top: Folder, nested: readonly string[]): Promise<void> {
  for (const relative of nested.toReversed()) {
    using subvolume = top.find(relative);
    if (subvolume) await kernel.btrfsSetReadOnly(subvolume.descriptor, true);
  }
  await kernel.btrfsSetReadOnly(top.descriptor, true);
}

/**
 * Deletes a subvolume, or a plain folder that may hold some, such as that of a volume's snapshots; anything else is
 * unlinked. Succeeds when it is gone.
 */
export async function destroy(parent: Folder, name: string): Promise<void> {
  try {
    await deleteTree(parent, name);
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOTDIR')) throw error;
    await deleteSubvolumesIn(parent, name);
    await removeTree(path.join(parent.absolute, name));
  }
}

async function deleteSubvolumesIn(parent: Folder, name: string): Promise<void> {
  if (!parent.folders().includes(name)) return;
  using folder = parent.child(name);
  for (const child of folder.folders()) {
    if (isSubvolume(folder, child)) await deleteTree(folder, child);
    else await deleteSubvolumesIn(folder, child);
  }
}

function isSubvolume(parent: Folder, name: string): boolean {
  using folder = parent.child(name);
  return folder.isSubvolume;
}

/** Deletes a subvolume with all that is nested in it; succeeds when it is gone. */
export async function deleteTree(parent: Folder, name: string): Promise<void> {
  try {
    await kernel.btrfsDeleteSubvolume(parent.descriptor, name);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'ENOTEMPTY', 'EROFS')) throw error;
    await deleteNested(parent, name);
    await kernel.btrfsDeleteSubvolume(parent.descriptor, name);
  }
}

async function deleteNested(parent: Folder, name: string): Promise<void> {
  using top = parent.child(name);
  const nested = await kernel.btrfsNestedSubvolumes(top.descriptor);
  for (const relative of ['.', ...nested]) {
    using subvolume = top.child(relative);
    await kernel.btrfsSetReadOnly(subvolume.descriptor, false); // nothing can be unlinked from a read-only one
  }
  for (const relative of nested.toReversed()) {
    using folder = top.child(path.dirname(relative));
    await kernel.btrfsDeleteSubvolume(folder.descriptor, path.basename(relative));
  }
}
