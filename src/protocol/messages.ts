import { ApiError } from '#api/error.ts';
import { WireReader, WireWriter } from './wire.ts';

/** Ways to move a file tree, numbered as in LXD's migration protocol. */
export const transferTypes = { rsync: 0, btrfs: 1, zfs: 2 } as const;
export type TransferType = keyof typeof transferTypes;

/** 0 = state by CRIU, 2 = runs, but without its state; absent when it is stopped. */
export type StateType = 'criu' | 'none';
const stateTypes: Readonly<Record<StateType, number>> = { criu: 0, none: 2 };

export interface RsyncOffer {
  readonly xattrs: boolean;
  readonly delete: boolean;
  readonly compress: boolean;
  readonly bidirectional: boolean;
  /** ours: hard links and ACLs */
  readonly links: boolean;
}

export interface BtrfsOffer {
  readonly migrationHeader: boolean;
  readonly subvolumes: boolean;
  readonly subvolumeUuids: boolean;
}

export interface ZfsOffer {
  /** blocks as they are on disk */
  readonly compress: boolean;
  readonly migrationHeader: boolean;
  /** ours: nested datasets, and snapshots that are not one line */
  readonly anyShape: boolean;
}

export interface IdRangeEntry {
  readonly isUid: boolean;
  readonly isGid: boolean;
  readonly hostId: number;
  readonly containerId: number;
  readonly size: number;
}

export interface SnapshotEntry {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  readonly ephemeral: boolean;
  readonly devices: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** LXD's number of an architecture */
  readonly architecture: number;
  readonly stateful: boolean;
  /** seconds since 1970; 0 or less = never */
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

/** The offer of a source and the answer of a target (MigrationHeader). */
export interface MigrationHeader {
  readonly type: TransferType;
  readonly state?: StateType | undefined;
  readonly idmap: readonly IdRangeEntry[];
  readonly snapshotNames: readonly string[];
  readonly snapshots: readonly SnapshotEntry[];
  readonly predump?: boolean | undefined;
  readonly rsync?: RsyncOffer | undefined;
  readonly btrfs?: BtrfsOffer | undefined;
  readonly refresh?: boolean | undefined;
  readonly zfs?: ZfsOffer | undefined;
  readonly volumeSize?: number | undefined;
  readonly indexVersion: number;
}

/** The verdict of a target, or either side's failure (MigrationControl). */
export interface MigrationControl {
  readonly success: boolean;
  readonly message: string;
}

export function encodeHeader(header: MigrationHeader): Buffer {
  const writer = new WireWriter().integer(1, transferTypes[header.type]);
  if (header.state) writer.integer(2, stateTypes[header.state]);
  for (const entry of header.idmap) writer.message(3, encodeIdRange(entry));
  for (const name of header.snapshotNames) writer.text(4, name);
  for (const snapshot of header.snapshots) writer.message(5, encodeSnapshot(snapshot));
  writer.flag(7, header.predump);
  if (header.rsync) {
    const { xattrs, bidirectional, compress, links } = header.rsync;
    const rsync = new WireWriter()
      .flag(1, xattrs)
      .flag(2, header.rsync.delete)
      .flag(3, compress)
      .flag(4, bidirectional);
    writer.message(8, links ? rsync.flag(ownField, true) : rsync);
  }
  writer.flag(9, header.refresh);
  if (header.zfs) {
    const { compress, migrationHeader, anyShape } = header.zfs;
    const zfs = new WireWriter().flag(1, compress).flag(2, migrationHeader);
    writer.message(10, anyShape ? zfs.flag(ownField, true) : zfs);
  }
  writer.integer(11, header.volumeSize);
  if (header.btrfs) {
    const { migrationHeader, subvolumes, subvolumeUuids } = header.btrfs;
    writer.message(12, new WireWriter().flag(1, migrationHeader).flag(2, subvolumes).flag(3, subvolumeUuids));
  }
  return writer.integer(13, header.indexVersion).finish();
}

/** Number of a field that LXD passes over. */
const ownField = 1001;

/** Throws "invalid-argument" for what is no header, and "unsupported" for a way to move files that is not known here. */
export function decodeHeader(message: Buffer): MigrationHeader {
  const reader = new WireReader(message);
  const number = reader.integer(1);
  const type = Object.entries(transferTypes).find(([, value]) => value === number)?.[0] as TransferType | undefined;
  if (type === undefined)
    throw new ApiError(
      'unsupported',
      `The other server wants to move files in way ${String(number)}, which is not known here`,
    );
  const state = reader.integer(2);
  const rsync = reader.message(8);
  const zfs = reader.message(10);
  const btrfs = reader.message(12);
  return {
    type,
    state: state === undefined ? undefined : state === stateTypes.none ? 'none' : 'criu',
    idmap: reader.messages(3).map(decodeIdRange),
    snapshotNames: reader.texts(4),
    snapshots: reader.messages(5).map(decodeSnapshot),
    predump: reader.flag(7),
    rsync: rsync && {
      xattrs: rsync.flag(1) ?? false,
      delete: rsync.flag(2) ?? false,
      compress: rsync.flag(3) ?? false,
      bidirectional: rsync.flag(4) ?? false,
      links: rsync.flag(ownField) ?? false,
    },
    refresh: reader.flag(9),
    zfs: zfs && {
      compress: zfs.flag(1) ?? false,
      migrationHeader: zfs.flag(2) ?? false,
      anyShape: zfs.flag(ownField) ?? false,
    },
    volumeSize: reader.integer(11),
    btrfs: btrfs && {
      migrationHeader: btrfs.flag(1) ?? false,
      subvolumes: btrfs.flag(2) ?? false,
      subvolumeUuids: btrfs.flag(3) ?? false,
    },
    indexVersion: reader.integer(13) ?? 0,
  };
}

export function encodeControl({ success, message }: MigrationControl): Buffer {
  return new WireWriter().flag(1, success).text(2, message).finish();
}

export function decodeControl(message: Buffer): MigrationControl {
  const reader = new WireReader(message);
  const success = reader.flag(1);
  if (success === undefined) throw new ApiError('invalid-argument', 'The other server sent no verdict');
  return { success, message: reader.text(2) ?? '' };
}

function encodeIdRange(entry: IdRangeEntry): WireWriter {
  const { isUid, isGid, hostId, containerId, size } = entry;
  return new WireWriter().flag(1, isUid).flag(2, isGid).integer(3, hostId).integer(4, containerId).integer(5, size);
}

function decodeIdRange(reader: WireReader): IdRangeEntry {
  return {
    isUid: reader.flag(1) ?? false,
    isGid: reader.flag(2) ?? false,
    hostId: reader.integer(3) ?? 0,
    containerId: reader.integer(4) ?? 0,
    size: reader.integer(5) ?? 0,
  };
}

function encodeSnapshot(snapshot: SnapshotEntry): WireWriter {
  const writer = new WireWriter().text(1, snapshot.name);
  for (const pair of Object.entries(snapshot.config)) writer.message(2, encodePair(pair));
  for (const profile of snapshot.profiles) writer.text(3, profile);
  writer.flag(4, snapshot.ephemeral);
  for (const [name, config] of Object.entries(snapshot.devices)) {
    const device = new WireWriter().text(1, name);
    for (const pair of Object.entries(config)) device.message(2, encodePair(pair));
    writer.message(5, device);
  }
  return writer
    .integer(6, snapshot.architecture)
    .flag(7, snapshot.stateful)
    .integer(8, snapshot.createdAt)
    .integer(9, snapshot.lastUsedAt)
    .integer(10, snapshot.expiresAt);
}

function decodeSnapshot(reader: WireReader): SnapshotEntry {
  return {
    name: reader.text(1) ?? '',
    config: decodePairs(reader.messages(2)),
    profiles: reader.texts(3),
    ephemeral: reader.flag(4) ?? false,
    devices: Object.fromEntries(
      reader.messages(5).map(device => [device.text(1) ?? '', decodePairs(device.messages(2))]),
    ),
    architecture: reader.integer(6) ?? 0,
    stateful: reader.flag(7) ?? false,
    createdAt: reader.integer(8) ?? 0,
    lastUsedAt: reader.integer(9) ?? 0,
    expiresAt: reader.integer(10) ?? 0,
  };
}

function encodePair([key, value]: readonly [string, string]): WireWriter {
  return new WireWriter().text(1, key).text(2, value);
}

function decodePairs(readers: readonly WireReader[]): Record<string, string> {
  return Object.fromEntries(readers.map(pair => [pair.text(1) ?? '', pair.text(2) ?? '']));
}
