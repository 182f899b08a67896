import { stat } from 'node:fs/promises';
import path from 'node:path';
import { invalid } from '#api/error.ts';
import type { Volume } from '../driver.ts';
import { Folder } from './folder.ts';
import { isTemporary, poolFolders, snapshotFolders, volumeFolders, volumeKinds } from '../layout.ts';

/** Makes the folders of a pool unless they are there, with their modes. */
export function ensureFolders(mountPoint: string): void {
  using root = Folder.open(mountPoint);
  root.setMode(0o711);
  for (const { name, mode } of poolFolders) {
    using _folder = root.ensure(name, mode);
  }
}

/** Throws "invalid-argument" unless the folder is that of a pool: looking for one must not make one. */
export async function checkPoolFolder(folder: string): Promise<void> {
  const found = await stat(path.join(folder, volumeFolders.container)).catch(() => undefined);
  if (!found?.isDirectory()) throw invalid('source', `"${folder}" holds no storage pool`);
}

/** Everything in the pool that bears a temporary name, as folder below the mount point and name in it. */
export function findLeftovers(mountPoint: string): readonly { readonly parent: string; readonly name: string }[] {
  using root = Folder.open(mountPoint);
  const parents = ['.', ...poolFolders.map(folder => folder.name)];
  for (const kind of volumeKinds) {
    const folder = snapshotFolders[kind];
    if (folder === undefined) continue;
    using snapshots = root.child(folder);
    for (const name of snapshots.folders()) if (!isTemporary(name)) parents.push(path.join(folder, name));
  }
  return parents.flatMap(parent => {
    using folder = root.child(parent);
    return folder
      .names()
      .filter(isTemporary)
      .map(name => ({ parent, name }));
  });
}

/** Volumes by kind and name. */
export function listVolumes(mountPoint: string): readonly Volume[] {
  using root = Folder.open(mountPoint);
  return volumeKinds.flatMap(kind => {
    using folder = root.child(volumeFolders[kind]);
    const names = folder.folders().filter(name => !isTemporary(name));
    return names.sort().map(name => ({ kind, name }));
  });
}
