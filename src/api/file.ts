/** One line of GET …/files?path=&recursion=1 (ours): a file, or what is in a folder. */
export interface FileInfo {
  readonly name: string;
  readonly type: FileType;
  /** octal, such as "0644" */
  readonly mode: string;
  /** as the guest has them */
  readonly uid: number;
  readonly gid: number;
  /** bytes */
  readonly size: number;
  /** time of the last change, such as "2026-01-02T03:04:05Z" */
  readonly modified_at: string;
  /** what a link points to */
  readonly target?: string;
}

export type FileType = 'file' | 'directory' | 'symlink' | 'pipe' | 'socket' | 'char-device' | 'block-device' | 'other';

/** One line of GET /1.0/instances/{name}/file-history?path= (ours): a state that a file is or was in. */
export interface FileVersion {
  /** that hold it, oldest first */
  readonly snapshots: readonly string[];
  /** the instance has it now */
  readonly current: boolean;
  /** absent: there is no such file, and none of the members below either */
  readonly type: FileType | 'absent';
  /** what differs from the version before it; empty for the first */
  readonly changed: readonly FileChangeKind[];
  readonly mode?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly modified_at?: string;
}

export type FileChangeKind = 'content' | 'mode' | 'owner' | 'type';

/** Body of POST /1.0/instances/{name}/snapshots/{snapshot}/file-restore (ours). */
export interface FileRestorePost {
  readonly path: string;
  /** where in the instance, a folder when a slash ends it; absent or "" = the same path */
  readonly target?: string;
  /** drop what is replaced instead of keeping it beside */
  readonly force?: boolean;
  /** make the folders above the target that are missing */
  readonly create_dirs?: boolean;
}

/** What the operation of a restore tells at its end. */
export interface FileRestored {
  readonly target: string;
  /** where what was replaced is now */
  readonly kept?: string;
  /** of them with folders and links */
  readonly files: number;
  readonly bytes: number;
  /** device nodes and attributes that could not be restored */
  readonly left_out: number;
}
