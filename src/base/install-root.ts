import { existsSync } from 'node:fs';
import path from 'node:path';

/** Folder that the program is installed in: the nearest one above this code that holds the launcher. */
export const installRoot = findUpwards(import.meta.dirname, 'lxd-like');

/** Path of something built or shipped with the program, such as `native/build/ctr-ns`. */
export function installedPath(...parts: readonly string[]): string {
  return path.join(installRoot, ...parts);
}

function findUpwards(start: string, marker: string): string {
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, marker)) && existsSync(path.join(folder, 'package.json'))) return folder;
    if (folder === path.dirname(folder))
      throw new Error(`Failed finding the folder that holds "${marker}" above ${start}`);
  }
}
