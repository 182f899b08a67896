/** What both sides of an rsync can do. */
export interface RsyncFeatures {
  readonly xattrs: boolean;
  readonly delete: boolean;
  readonly compress: boolean;
  /** hard links and ACLs: more than LXD transfers */
  readonly links: boolean;
}

/** Options of rsync(1) as the sender of a whole tree with all that its files have. */
export function senderArguments(features: RsyncFeatures, bandwidth?: string): readonly string[] {
  return [
    '-ar',
    '--devices',
    '--specials',
    '--numeric-ids',
    '--partial',
    '--sparse',
    ...(features.links ? ['-H', '-A'] : []),
    ...(bandwidth === undefined ? [] : [`--bwlimit=${bandwidth}`]),
    ...featureArguments(features),
  ];
}

export function featureArguments(features: RsyncFeatures): readonly string[] {
  return [
    ...(features.xattrs ? ['--xattrs', '--filter=-x security.selinux'] : []),
    ...(features.delete ? ['--delete'] : []),
    ...(features.compress ? ['--compress', '--compress-level=2'] : []),
  ];
}

/** Exit status for "some source files vanished" (rsync(1)). */
export const vanishedStatus = 24;
