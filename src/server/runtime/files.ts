import type { Readable } from 'node:stream';
import type { Idmap } from './idmap.ts';

export interface FileEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** what kind of other */
  readonly special?: 'pipe' | 'socket' | 'char-device' | 'block-device';
  /** permission bits */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** bytes */
  readonly size: number;
  /** seconds since the epoch */
  readonly modified: number;
  /** the same in two states of a file system: nothing has touched it in between */
  readonly identity: string;
}

/** What stands in a directory. */
export interface NamedEntry extends FileEntry {
  readonly name: string;
  /** what a link points to */
  readonly target?: string;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** What of a file is to change; members that are absent stay. Times are seconds since the epoch. */
export interface FileChange {
  readonly owner?: Partial<FileOwner>;
  readonly size?: number;
  readonly times?: { readonly accessed: number; readonly modified: number };
}

export interface FileAccess {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly append?: boolean;
  /** make the file unless it is there */
  readonly create?: boolean;
  readonly truncate?: boolean;
  /** with `create`: "already-exists" when it is there */
  readonly exclusive?: boolean;
}

/** An open regular file. Errors of its methods are those of the system calls. */
export interface FileHandle {
  /** fewer bytes at the end of the file, none behind it */
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, content: Buffer): Promise<void>;
  size(): Promise<number>;
  /** waits until what was written is on the disk */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Files of one instance as its root user sees them, running or stopped, through a process that has no more rights than
 * that user. Paths are absolute inside the instance. Errors: "not-found", "invalid-argument" (special files, wrong
 * kind), "permission-denied", "out-of-space".
 */
export interface FileServer {
  stat(path: string, followLinks?: boolean): Promise<FileEntry>;
  /** opens a regular file for reading; special files are refused */
  read(path: string): Promise<{ readonly entry: FileEntry; readonly stream: Readable }>;
  readLink(path: string): Promise<string>;
  /** names in a directory, sorted */
  list(path: string): Promise<readonly string[]>;
  /** the same with what stat says of each, links not followed */
  listEntries(path: string): Promise<readonly NamedEntry[]>;
  /**
   * Writes a regular file whole (a new one beside it, then renamed over) or appends to it. Members of `owner` that are
   * absent keep those of an existing file, else 0:0 and 0644. Reads `content` to its end.
   */
  write(path: string, content: Readable, owner: Partial<FileOwner>, append?: boolean): Promise<void>;
  /** succeeds when it is there already */
  makeDirectory(path: string, owner: Partial<FileOwner>): Promise<void>;
  makeLink(path: string, target: string): Promise<void>;
  /** removes a file, link or empty directory; "not-found" when there is none; `recursive` removes a whole tree */
  remove(path: string, recursive?: boolean): Promise<void>;
  /** Opens a regular file for reads and writes at any place; a new one gets `owner`, else 0:0 and 0644. */
  open(path: string, access: FileAccess, owner: Partial<FileOwner>): Promise<FileHandle>;
  /** Changes what `path` names; the mode of a link stays as it is. */
  setAttributes(path: string, change: FileChange, followLinks?: boolean): Promise<void>;
  /** Without `replace` "already-exists" when the target is there. */
  rename(from: string, to: string, replace: boolean): Promise<void>;
  /**
   * Copies what is at `from` in another instance or snapshot, whose ids must be the same, to `to`: with owners, modes,
   * times, extended attributes, links and hard links, whole or not at all. Links in the last part are not followed.
   * "permission-denied" or "busy" where the copy would take a mount point's place.
   */
  restore(source: FileServer, from: string, to: string, options: RestoreOptions): Promise<RestoredFiles>;
  /** ends the server process; it may be called twice */
  close(): Promise<void>;
}

export interface RestoreOptions {
  /** keep what is replaced beside it, as "NAME.~1~" */
  readonly keep: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress {
  readonly files: number;
  readonly bytes: number;
  /** device nodes, and attributes that the target's file system does not have */
  readonly leftOut: number;
}

export interface RestoredFiles extends RestoreProgress {
  /** name that what was replaced has now, in the same folder */
  readonly kept?: string;
}

/** What the file server needs to reach a root file system. */
export interface FilesTarget {
  readonly id: string;
  /** root file system, used when the container is stopped */
  readonly rootfs: string;
  readonly idmap: Idmap | undefined;
  /** ids on disk are the host's */
  readonly hostIds?: boolean;
  /** nothing can be changed, as in a snapshot */
  readonly readOnly?: boolean;
  /** its process ends with its last user instead of waiting for the next one */
  readonly brief?: boolean;
}
