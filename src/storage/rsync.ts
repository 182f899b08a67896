import { type PipedCommand, startPiped } from '#base/piped-command.ts';
import { caged, cagedShell, cagedTree } from './cage.ts';

/** What both sides of an rsync can do. */
export interface RsyncFeatures {
  readonly xattrs: boolean;
  readonly delete: boolean;
  readonly compress: boolean;
  /** hard links and ACLs: more than LXD transfers */
  readonly links: boolean;
}

export interface RsyncSend {
  readonly features: RsyncFeatures;
  /** as rsync takes it, such as "10M"; no limit when undefined */
  readonly bandwidth?: string | undefined;
  /** files that vanish while they are read are no failure */
  readonly allowVanished: boolean;
}

/** Exit status for "some source files vanished" (rsync(1)). */
const vanished = 24;

/** Starts rsync(1) as the sender of what lies in a folder; its streams go to the receiver. */
export function startRsyncSender(folder: string, { features, bandwidth, allowVanished }: RsyncSend): PipedCommand {
  const args = ['-ar', '--devices', '--specials', '--numeric-ids', '--partial', '--sparse'];
  if (features.links) args.push('-H', '-A');
  if (bandwidth !== undefined) args.push(`--bwlimit=${bandwidth}`);
  args.push(...featureArgs(features), '-e', cagedShell, `${cagedTree}/`, 'peer:/tree');
  return startPiped(...caged({ tree: folder, writable: false }, 'rsync', args), {
    channel: true,
    accept: allowVanished ? [vanished] : [],
  });
}

/** Starts rsync(1) as the receiver into a folder; it can write nowhere else. `idmap` is that of the sender's disk. */
export function startRsyncReceiver(
  folder: string,
  features: RsyncFeatures,
  idmap?: { readonly hostBase: number; readonly size: number },
): PipedCommand {
  // What a sender of rsync 3.1 to 3.5 asks for; "e.iLsfx" are the compatibilities that LXD agrees to.
  const flags = `-vlogDtpr${features.links ? 'HA' : ''}e.iLsfx`;
  const args = ['--server', flags, '--numeric-ids', '--devices', '--specials', '--partial', '--sparse'];
  args.push(...featureArgs(features), '.', `${cagedTree}/`);
  return startPiped(...caged({ tree: folder, writable: true, ...(idmap && { idmap }) }, 'rsync', args));
}

function featureArgs(features: RsyncFeatures): readonly string[] {
  return [
    ...(features.xattrs ? ['--xattrs', '--filter=-x security.selinux'] : []),
    ...(features.delete ? ['--delete'] : []),
    ...(features.compress ? ['--compress', '--compress-level=2'] : []),
  ];
}
