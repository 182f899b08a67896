/**
 * System calls that Node lacks, as plain functions over descriptors and process ids (Linux 5.12 or later).
 *
 * Every function throws an `Error` with `code` (such as "ENOENT"), `errno` (negative) and `syscall` when the kernel
 * refuses. Descriptors handed out are close-on-exec and belong to the caller, who closes them with `fs.closeSync`
 * or by giving them to a stream. Functions that return a promise run on a native thread of the addon's own, never on
 * libuv's pool; all others are short and synchronous.
 */

// ---- processes (pidfd_open(2), pidfd_send_signal(2)) ----

/** Opens a pidfd. Throws ESRCH when no such process exists. */
export function pidfdOpen(pid: number): number;
/** Sends a signal through a pidfd; throws ESRCH when the process is gone. */
export function pidfdSendSignal(pidfd: number, signal: number): void;
/** Calls `onExit` once, on the event loop, when the process ends. Keeps the event loop alive only when `ref` is true. */
export function pidfdWatch(pidfd: number, onExit: () => void, ref?: boolean): Watch;
export interface Watch {
  /** Stops watching; `onExit`/`onMessage` is not called any more. May be called twice. Does not close the descriptor. */
  stop(): void;
}

// ---- terminals (pty(7), ioctl_tty(2)) ----

export interface Pty {
  readonly master: number;
  readonly slave: number;
}
/** Opens a pseudo-terminal of the host. */
export function openPty(columns: number, rows: number): Pty;
/**
 * Opens a pseudo-terminal in the devpts of the mount namespace of process `pid`, without following any link of the
 * guest's, and gives the slave to `uid`:`gid` (host ids). Throws ENODEV when the guest's /dev/pts is no devpts.
 */
export function openPtyOf(pid: number, columns: number, rows: number, uid: number, gid: number): Pty;
export function setWindowSize(master: number, columns: number, rows: number): void;

// ---- pipes and sockets (unix(7)) ----

/** A pipe: `[readEnd, writeEnd]`; `size` asks for F_SETPIPE_SZ bytes of buffer (best effort). */
export function pipe(size?: number): [number, number];
/**
 * Gives the memory of bytes back at once that nobody will look at again; they are empty then. Does nothing to bytes that
 * are only a part of their ArrayBuffer.
 */
export function freeBytes(bytes: Uint8Array): void;
/** A connected pair of SOCK_SEQPACKET sockets. */
export function seqpacketPair(): [number, number];
/** Sends one message with descriptors (SCM_RIGHTS, at most 8). The descriptors stay open here. Throws EAGAIN when full. */
export function sendMessage(socket: number, message: Uint8Array, descriptors: readonly number[]): void;
export interface Message {
  readonly data: Buffer;
  readonly descriptors: readonly number[];
}
/**
 * Watches a SEQPACKET socket and delivers its messages (at most 64 KiB each) in order on the event loop;
 * `undefined` once when the peer has closed.
 */
export function watchMessages(socket: number, onMessage: (message: Message | undefined) => void): Watch;
/** Credentials of the peer of a connected unix stream socket (SO_PEERCRED). */
export function peerCredentials(socket: number): { readonly pid: number; readonly uid: number; readonly gid: number };

/** A pidfd of that peer: of itself since Linux 6.5, before that of whoever has its number now. */
export function peerPidfd(socket: number): number;

// ---- files beneath a directory (openat2(2)) ----

/**
 * Opens `path` beneath directory descriptor `directory` with RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS and, unless
 * `followLinks`, RESOLVE_NO_SYMLINKS. O_CLOEXEC is always added. Throws EXDEV or ELOOP when the path leaves the tree.
 */
export function openBeneath(
  directory: number,
  path: string,
  flags: number,
  mode?: number,
  followLinks?: boolean,
): number;
export function mkdirAt(directory: number, name: string, mode: number): void;
export function unlinkAt(directory: number, name: string, isDirectory: boolean): void;
export function renameAt(directory: number, from: string, toDirectory: number, to: string): void;
/** Atomically exchanges two names (renameat2 RENAME_EXCHANGE). */
export function exchangeAt(directory: number, one: string, toDirectory: number, other: string): void;
/** Makes a device node (mknod(2)); `mode` holds its kind, S_IFCHR or S_IFBLK. */
export function makeNode(path: string, mode: number, major: number, minor: number): void;
/** Magic number of the file system that a descriptor is on (statfs(2)), e.g. 0x9123683e for btrfs. */
export function fileSystemType(descriptor: number): number;
/** True when the file system at `directory` supports id-mapped mounts (probed by open_tree + mount_setattr, 5.12+). */
export function supportsIdmappedMounts(directory: number): boolean;

/**
 * Gives the tree at `name` in a volume's top folder, or the whole volume for ".", ids on disk that begin at `base` on
 * the host, or a container's own when `size` is 0: owners, POSIX ACLs and file capabilities. A mark on the top folder
 * tells which it has; nothing is done when these are the wanted ones. Can be repeated after an interruption.
 */
export function alignIds(directory: number, name: string, base: number, size: number): Promise<void>;

// ---- project quotas (quotactl(2); linux/fs.h): ext4 and XFS count and limit the bytes of a tree by its project id ----

/** Project id of a file or folder; `inherited` when what is made in the folder gets it. Throws ENOTTY where there is none. */
export function projectOf(descriptor: number): { readonly id: number; readonly inherited: boolean };
/** Puts the tree at a folder, and what will be made in it, in a project. On a native thread. */
export function setProject(folder: number, id: number): Promise<void>;
/** Bytes of a project on the file system of the folder, and its limit; undefined where projects are not counted. */
export function projectUsage(
  folder: number,
  id: number,
): { readonly used: number; readonly limit?: number } | undefined;
/** Limits the bytes of a project; undefined lifts the limit. */
export function limitProject(folder: number, id: number, bytes: number | undefined): void;

// ---- mounts and loop devices (mount(2), loop(4)) ----

/** mount(2); `data` as in its option string, `flags` as MS_*. Runs on a native thread. */
export function mount(source: string, target: string, type: string, flags: number, data: string): Promise<void>;
/** umount2(2) with flags (2 = MNT_DETACH, 8 = UMOUNT_NOFOLLOW). Runs on a native thread. */
export function unmount(target: string, flags: number): Promise<void>;
/**
 * Binds a free loop device to a file (LOOP_CTL_GET_FREE, LOOP_CONFIGURE with autoclear; direct I/O where possible)
 * and returns the device's path and a descriptor that keeps it until it is mounted.
 */
export function attachLoop(file: string): { readonly device: string; readonly descriptor: number };

// ---- btrfs (ioctl-btrfs; linux/btrfs.h). All run on a native thread: they may wait for a transaction ----

/** Creates an empty subvolume `name` in the directory. */
export function btrfsCreateSubvolume(directory: number, name: string): Promise<void>;
/** BTRFS_IOC_SNAP_CREATE_V2: snapshot of subvolume `source` (descriptor) as `name` in `directory`. */
export function btrfsSnapshot(source: number, directory: number, name: string, readOnly: boolean): Promise<void>;
/** BTRFS_IOC_SNAP_DESTROY of one subvolume without nested ones. Throws ENOTEMPTY when it has nested ones. */
export function btrfsDeleteSubvolume(directory: number, name: string): Promise<void>;
export function btrfsSetReadOnly(subvolume: number, readOnly: boolean): Promise<void>;
/** Subvolume id of the tree that a descriptor is in (BTRFS_IOC_INO_LOOKUP). */
export function btrfsSubvolumeId(descriptor: number): number;
/** Paths, relative to the subvolume at `descriptor`, of all subvolumes nested in it, parents first. */
export function btrfsNestedSubvolumes(descriptor: number): Promise<readonly string[]>;
export function btrfsEnableQuota(descriptor: number): Promise<void>;
/** Limits referenced bytes of qgroup 0/ID; undefined lifts the limit. */
export function btrfsSetLimit(descriptor: number, subvolumeId: number, bytes: number | undefined): Promise<void>;
/** Referenced and exclusive bytes of qgroup 0/ID and the limit of the referenced ones; undefined when quota is off. */
export function btrfsUsage(
  descriptor: number,
  subvolumeId: number,
): Promise<{ readonly referenced: number; readonly exclusive: number; readonly limit?: number } | undefined>;

/**
 * What a subvolume is known by on this and on other file systems (BTRFS_IOC_GET_SUBVOL_INFO): lower-case hexadecimal
 * without dashes; `receivedUuid` is empty unless it was made from a stream and not changed since.
 */
export function btrfsIdentity(subvolume: number): { readonly uuid: string; readonly receivedUuid: string };
/** Says which subvolume of another file system a writable one equals (BTRFS_IOC_SET_RECEIVED_SUBVOL). On a native thread. */
export function btrfsSetReceived(subvolume: number, uuid: string): Promise<void>;

// ---- rtnetlink (rtnetlink(7)) ----

export interface LinkCounters {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly errorsReceived: number;
  readonly errorsSent: number;
  readonly packetsDroppedInbound: number;
  readonly packetsDroppedOutbound: number;
}
export interface LinkAddress {
  /** "inet" or "inet6" */
  readonly family: 'inet' | 'inet6';
  readonly address: string;
  readonly prefixLength: number;
  /** "global", "link" or "local" */
  readonly scope: 'global' | 'link' | 'local';
}
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFF_* bits of netdevice(7): 0x1 up, 0x2 broadcast, 0x8 loopback, 0x10 point-to-point, 0x1000 multicast */
  readonly flags: number;
  readonly mtu: number;
  /** lower-case with colons; empty for interfaces without one */
  readonly hardwareAddress: string;
  /** "veth", "bridge", "macvlan" … as in IFLA_INFO_KIND; empty for plain devices */
  readonly kind: string;
  /** index of the peer (veth) or lower device, 0 when none */
  readonly peerIndex: number;
  /** index of the bridge it is enslaved to, 0 when none */
  readonly masterIndex: number;
  readonly operationalState: 'up' | 'down' | 'unknown' | 'lowerlayerdown' | 'dormant' | 'testing' | 'notpresent';
  readonly counters: LinkCounters;
  readonly addresses: readonly LinkAddress[];
}
/** Links with addresses and counters of the network namespace of process `pid` (target-nsid), or of the host's own. */
export function links(pid?: number): readonly Link[];

export interface LinkSettings {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly hardwareAddress?: string;
  /** name of the bridge to join; null leaves it */
  readonly master?: string | null;
  readonly newName?: string;
}
/** Creates a bridge; throws EEXIST when the name is taken. */
export function createBridge(name: string, settings: LinkSettings): void;
/**
 * Creates a veth pair: `name` on the host, `peerName` in the network namespace of `peerPid` (or on the host).
 */
export function createVeth(
  name: string,
  settings: LinkSettings,
  peer: { readonly name: string; readonly pid?: number; readonly settings: LinkSettings },
): void;
export function changeLink(name: string, settings: LinkSettings): void;
/** Deletes a link; succeeds when there is none. */
export function deleteLink(name: string): void;
/** Adds an address such as "10.1.2.1/24"; succeeds when it is already there. */
export function addAddress(link: string, address: string): void;
/** Removes an address; succeeds when it is already gone. */
export function removeAddress(link: string, address: string): void;
