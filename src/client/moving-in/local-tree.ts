import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { installedPath } from '#base/install-root.ts';
import { type PipedCommand, startPiped } from '#base/piped-command.ts';
import { type RsyncFeatures, senderArguments, vanishedStatus } from '#base/rsync-arguments.ts';
import type { ScratchFolder } from './scratch-folder.ts';

/** Starts rsync(1) as the sender of a folder of this machine, which its receiver gets as "rootfs". */
export function sendLocalTree(scratch: ScratchFolder, folder: string, features: RsyncFeatures): PipedCommand {
  // rsync follows a link that is named with a slash behind it, and with -R keeps the link's name.
  symlinkSync(folder, path.join(scratch.path, 'rootfs'));
  const relay = `'${installedPath('native/build/ctr-ns')}' relay`;
  const tree = `${scratch.path}/./rootfs/`;
  return startPiped('rsync', [...senderArguments(features), '-R', '-e', relay, tree, 'peer:/tree'], {
    channel: true,
    accept: [vanishedStatus],
  });
}
