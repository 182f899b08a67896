import { type PipedCommand, startPiped } from '#base/piped-command.ts';
import { featureArguments, type RsyncFeatures, senderArguments, vanishedStatus } from '#base/rsync-arguments.ts';
import { caged, cagedShell, cagedTree } from './cage.ts';

export interface RsyncSend {
  readonly features: RsyncFeatures;
  /** as rsync takes it, such as "10M"; no limit when undefined */
  readonly bandwidth?: string | undefined;
  /** files that vanish while they are read are no failure */
  readonly allowVanished: boolean;
}

/** Starts rsync(1) as the sender of what lies in a folder; its streams go to the receiver. */
export function startRsyncSender(folder: string, { features, bandwidth, allowVanished }: RsyncSend): PipedCommand {
  const args = [...senderArguments(features, bandwidth), '-e', cagedShell, `${cagedTree}/`, 'peer:/tree'];
  return startPiped(...caged({ tree: folder, writable: false }, 'rsync', args), {
    channel: true,
    accept: allowVanished ? [vanishedStatus] : [],
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
  args.push(...featureArguments(features), '.', `${cagedTree}/`);
  return startPiped(...caged({ tree: folder, writable: true, ...(idmap && { idmap }) }, 'rsync', args));
}
