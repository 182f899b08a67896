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
