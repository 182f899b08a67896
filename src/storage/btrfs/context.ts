import path from 'node:path';
import type { Background } from '../background.ts';
import type { DriverContext, Snapshot, Volume } from '../driver.ts';
import { missing } from '../errors.ts';
import { Folder } from '../folder.ts';
import { checkName, isSnapshot, snapshotFolder, temporaryName, volumeFolders } from '../layout.ts';
import { deleteTree } from './subvolumes.ts';

/** What the parts of the driver share. */
export interface BtrfsContext extends DriverContext {
  readonly background: Background;
}

/** The folder that holds the volumes of a kind. */
export function openVolumes(context: BtrfsContext, kind: Volume['kind']): Folder {
  using root = Folder.open(context.mountPoint);
  return root.child(volumeFolders[kind]);
}

/** The folder that holds a volume's snapshots; undefined when there is none. */
export function findSnapshots(context: BtrfsContext, volume: Volume): Folder | undefined {
  using root = Folder.open(context.mountPoint);
  return root.find(path.join(snapshotFolder(volume.kind), checkName(volume.name)));
}

export function ensureSnapshots(context: BtrfsContext, volume: Volume): Folder {
  using root = Folder.open(context.mountPoint);
  using parent = root.child(snapshotFolder(volume.kind));
  return parent.ensure(checkName(volume.name), 0o700);
}

/** The top folder of a volume or snapshot; undefined when there is none. */
export function findTop(context: BtrfsContext, source: Volume | Snapshot): Folder | undefined {
  using root = Folder.open(context.mountPoint);
  return root.find(relativePath(source));
}

/** Throws "not-found". */
export function openTop(context: BtrfsContext, source: Volume | Snapshot): Folder {
  const top = findTop(context, source);
  if (!top) throw missing(source);
  return top;
}

/** Path below the mount point. */
export function relativePath(source: Volume | Snapshot): string {
  if (!isSnapshot(source)) return path.join(volumeFolders[source.kind], checkName(source.name));
  const { kind, name } = source.volume;
  return path.join(snapshotFolder(kind), checkName(name), checkName(source.name));
}

/** Takes the name away at once and destroys what bore it in the background. Succeeds when it is gone. */
export function discard(context: BtrfsContext, parentPath: string, name: string): void {
  using root = Folder.open(context.mountPoint);
  using parent = root.find(parentPath);
  if (!parent?.has(name)) return;
  const aside = temporaryName();
  parent.rename(name, aside);
  destroyLater(context, parentPath, aside);
}

/** Destroys a subvolume of a temporary name in the background. */
export function destroyLater(context: BtrfsContext, parentPath: string, name: string): void {
  context.background.add(`deleting "${path.join(parentPath, name)}" of storage pool "${context.poolName}"`, async () => {
    using root = Folder.open(context.mountPoint);
    using parent = root.find(parentPath);
    if (parent) await deleteTree(parent, name);
  });
}
