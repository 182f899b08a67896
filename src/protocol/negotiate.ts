import type { BtrfsOffer, MigrationHeader, RsyncOffer, TransferType, ZfsOffer } from './messages.ts';

/** What one side's pool can do. */
export interface Abilities {
  /** undefined when rsync is all there is */
  readonly streams: Exclude<TransferType, 'rsync'> | undefined;
  /** false when the streams of what is sent are none that LXD could take */
  readonly common?: boolean | undefined;
  /** pool key rsync.compression */
  readonly compress: boolean;
}

/** The way that both sides go, with the features that both have. */
export interface Agreement {
  readonly type: TransferType;
  readonly rsync: RsyncOffer;
  readonly btrfs?: BtrfsOffer | undefined;
  readonly zfs?: ZfsOffer | undefined;
}

type Offer = Pick<MigrationHeader, 'type' | 'rsync' | 'btrfs' | 'zfs'>;

const allBtrfs: BtrfsOffer = { migrationHeader: true, subvolumes: true, subvolumeUuids: true };
const allZfs: ZfsOffer = { compress: true, migrationHeader: true, anyShape: true };

/** What LXD had before it told its features. */
const oldRsync: RsyncOffer = { xattrs: true, delete: true, compress: true, bidirectional: false, links: false };

/** The features of a source's first message. Its type is what every target may choose; one like this may go by more. */
export function offerOf({ streams, common = true, compress }: Abilities): Offer {
  return {
    type: streams && common ? streams : 'rsync',
    rsync: { xattrs: true, delete: true, compress, bidirectional: true, links: true },
    ...(streams === 'btrfs' && { btrfs: allBtrfs }),
    ...(streams === 'zfs' && { zfs: allZfs }),
  };
}

/**
 * A target's choice among what a source offers: the native way when both have it, else rsync. Trees whose ids are
 * shifted on disk need rsync, which can shift them back; a refresh by streams needs to know what is there already.
 */
export function agree(offer: Offer & Pick<MigrationHeader, 'idmap'>, own: Abilities, refresh: boolean): Agreement {
  const native = offer.idmap.length === 0 ? own.streams : undefined;
  const asked = offer.rsync?.bidirectional
    ? offer.rsync
    : { ...oldRsync, ...(offer.rsync && { compress: offer.rsync.compress }) };
  const rsync = { ...asked, compress: asked.compress && own.compress };
  const { type, btrfs, zfs } = offer;
  if (native === 'btrfs' && type === 'btrfs' && btrfs?.migrationHeader && btrfs.subvolumes)
    if (!refresh || btrfs.subvolumeUuids) return { type: 'btrfs', rsync, btrfs };
  if (native === 'zfs' && zfs?.migrationHeader && (type === 'zfs' || zfs.anyShape)) return { type: 'zfs', rsync, zfs };
  return { type: 'rsync', rsync };
}

/** What a target's answer means to the source; undefined when it is none of what was offered. */
export function agreed(answer: Offer, own: Abilities): Agreement | undefined {
  const { type } = answer;
  if (type !== 'rsync' && type !== own.streams) return undefined;
  const given = answer.rsync ?? oldRsync;
  const rsync = { ...given, compress: given.compress && own.compress };
  if (type === 'rsync') return { type, rsync };
  const features = { [type]: answer[type] };
  return { type, rsync, ...features };
}
