import path from 'node:path';
import type { DriverContext, Snapshot, Volume } from '../driver.ts';
import { missing } from '../errors.ts';

import { checkName, isSnapshot, snapshotFolder, temporaryName, volumeFolders } from '../layout.ts';
import type { Background } from './background.ts';
import { Folder } from './folder.ts';

/** What differs between drivers that keep volumes as folders of the layout. */
export interface TreeOperations {
  /** Makes an empty tree as `name` in the folder. */
  create(parent: Folder, name: string): Promise<void>;
  /** Makes `name` with the content of `source`, which may have to stay as it is from then on. */
  copy(source: Folder, parent: Folder, name: string, readOnly: boolean): Promise<void>;
  /** Makes a tree that was filled read-only, where the file system can. */
  seal(tree: Folder): Promise<void>;
  /** Deletes a tree or whatever else bears the name, with all that is in it; succeeds when it is gone. */
  destroy(parent: Folder, name: string): Promise<void>;
  /** Gives a tree that takes another's place what the other had beyond its content. */
  succeed(old: Folder, fresh: Folder): Promise<void>;
  /** Grows from each tree to the next that is made. */
  age(tree: Folder): bigint;
}

/** What the parts of such a driver share. */
export interface TreeContext extends DriverContext {
  readonly background: Background;
  readonly operations: TreeOperations;
}

/** The folder that holds the volumes of a kind. */
export function openVolumes(context: TreeContext, kind: Volume['kind']): Folder {
  using root = Folder.open(context.mountPoint);
  return root.child(volumeFolders[kind]);
}

/** The folder that holds a volume's snapshots; undefined when there is none. */
export function findSnapshots(context: TreeContext, volume: Volume): Folder | undefined {
  using root = Folder.open(context.mountPoint);
  return root.find(path.join(snapshotFolder(volume.kind), checkName(volume.name)));
}

export function ensureSnapshots(context: TreeContext, volume: Volume): Folder {
  using root = Folder.open(context.mountPoint);
  using parent = root.child(snapshotFolder(volume.kind));
  return parent.ensure(checkName(volume.name), 0o700);
}

/** The top folder of a volume or snapshot; undefined when there is none. */
export function findTop(context: TreeContext, source: Volume | Snapshot): Folder | undefined {
  using root = Folder.open(context.mountPoint);
  return root.find(relativePath(source));
}

/** Throws "not-found". */
export function openTop(context: TreeContext, source: Volume | Snapshot): Folder {
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
export function discard(context: TreeContext, parentPath: string, name: string): void {
  using root = Folder.open(context.mountPoint);
  using parent = root.find(parentPath);
  if (!parent?.has(name)) return;
  const aside = temporaryName();
  parent.rename(name, aside);
  destroyLater(context, parentPath, aside);
}

/** Destroys what bears a temporary name in the background. */
export function destroyLater(context: TreeContext, parentPath: string, name: string): void {
  const where = path.join(parentPath, name);
  context.background.add(`deleting "${where}" of storage pool "${context.poolName}"`, async () => {
    using root = Folder.open(context.mountPoint);
    using parent = root.find(parentPath);
    if (parent?.has(name)) await context.operations.destroy(parent, name);
  });
}
