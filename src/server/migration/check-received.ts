import { constants, lstatSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { VolumeKind } from '#storage/driver.ts';

/** What the daemon itself opens in an instance's volume, and as what. */
const ownNames: Readonly<Record<string, number>> = {
  rootfs: constants.S_IFDIR,
  templates: constants.S_IFDIR,
  'metadata.yaml': constants.S_IFREG,
  'backup.yaml': constants.S_IFREG,
  'exec-output': constants.S_IFDIR,
};

/** Refuses a tree in which a name of the daemon's is a link or a device, or which has no root file system. */
export function checkReceived(kind: VolumeKind, folder: string): Promise<void> {
  if (kind !== 'container') return Promise.resolve();
  for (const [name, type] of Object.entries(ownNames)) {
    const found = lstatSync(path.join(folder, name), { throwIfNoEntry: false });
    if (found ? (found.mode & constants.S_IFMT) !== type : name === 'rootfs')
      return Promise.reject(
        new ApiError('invalid-argument', `The other server sent a volume in which "${name}" is not what it must be`),
      );
  }
  return Promise.resolve();
}
