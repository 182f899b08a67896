import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import path from 'node:path';

/**
 * The beginning of a file in a tree that nobody vouches for; undefined unless it is a plain file that no link leads to.
 */
export function readGuestFile(root: string, file: string, maxBytes: number): Buffer | undefined {
  const parts = file.split('/');
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = path.join(folder, part);
    if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  }
  const full = path.join(root, file);
  if (!lstatSync(full, { throwIfNoEntry: false })?.isFile()) return undefined;
  const descriptor = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) return undefined;
    const bytes = Buffer.alloc(maxBytes);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, maxBytes, 0));
  } finally {
    closeSync(descriptor);
  }
}
