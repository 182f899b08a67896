import type { BtrfsOffer, MigrationHeader, RsyncOffer, TransferType } from './messages.ts';

/** What one side's pool can do. */
export interface Abilities {
  /** false when rsync is all there is */
  readonly btrfs: boolean;
  /** pool key rsync.compression */
  readonly compress: boolean;
}

/** The way that both sides go, with the features that both have. */
export interface Agreement {
  readonly type: TransferType;
  readonly rsync: RsyncOffer;
  readonly btrfs: BtrfsOffer;
}

const noBtrfs: BtrfsOffer = { migrationHeader: false, subvolumes: false, subvolumeUuids: false };
const allBtrfs: BtrfsOffer = { migrationHeader: true, subvolumes: true, subvolumeUuids: true };

/** What LXD had before it told its features. */
const oldRsync: RsyncOffer = { xattrs: true, delete: true, compress: true, bidirectional: false, links: false };

/** The features of a source's first message. */
export function offerOf({ btrfs, compress }: Abilities): Pick<MigrationHeader, 'type' | 'rsync' | 'btrfs'> {
  return {
    type: btrfs ? 'btrfs' : 'rsync',
    rsync: { xattrs: true, delete: true, compress, bidirectional: true, links: true },
    ...(btrfs && { btrfs: allBtrfs }),
  };
}

/**
 * A target's choice among what a source offers: the native way when both have it, else rsync. Trees whose ids are
 * shifted on disk need rsync, which can shift them back; a refresh by streams needs to know what is there already.
 */
export function agree(
  offer: Pick<MigrationHeader, 'type' | 'rsync' | 'btrfs' | 'idmap'>,
  own: Abilities,
  refresh: boolean,
): Agreement {
  const theirs = offer.btrfs ?? noBtrfs;
  const native =
    offer.type === 'btrfs' &&
    own.btrfs &&
    offer.idmap.length === 0 &&
    theirs.migrationHeader &&
    theirs.subvolumes &&
    (!refresh || theirs.subvolumeUuids);
  const asked = offer.rsync?.bidirectional
    ? offer.rsync
    : { ...oldRsync, ...(offer.rsync && { compress: offer.rsync.compress }) };
  return {
    type: native ? 'btrfs' : 'rsync',
    rsync: { ...asked, compress: asked.compress && own.compress },
    btrfs: native ? theirs : noBtrfs,
  };
}

/** What a target's answer means to the source; undefined when it is none of what was offered. */
export function agreed(
  answer: Pick<MigrationHeader, 'type' | 'rsync' | 'btrfs'>,
  own: Abilities,
): Agreement | undefined {
  if (answer.type !== 'rsync' && !(answer.type === 'btrfs' && own.btrfs)) return undefined;
  const rsync = answer.rsync ?? oldRsync;
  return {
    type: answer.type,
    rsync: { ...rsync, compress: rsync.compress && own.compress },
    btrfs: answer.type === 'btrfs' ? (answer.btrfs ?? noBtrfs) : noBtrfs,
  };
}
