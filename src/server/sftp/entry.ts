import type { FileEntry, FileChange } from '../runtime/runtime.ts';
import type { Attributes } from './packets.ts';

/** S_IFMT values of inode(7); sockets, pipes and devices are shown as devices, which clients leave alone. */
const kindBits = { file: 0o100000, directory: 0o040000, symlink: 0o120000, other: 0o020000 } as const;

export function attributesOf({ kind, mode, uid, gid, size, modified }: FileEntry): Attributes {
  return {
    size,
    owner: { uid, gid },
    mode: kindBits[kind] | mode,
    times: { accessed: Math.max(0, modified), modified: Math.max(0, modified) },
  };
}

export function changeOf({ size, owner, mode, times }: Attributes): FileChange {
  return {
    ...(size !== undefined && { size }),
    ...((owner ?? mode !== undefined) && { owner: { ...owner, ...(mode !== undefined && { mode: mode & 0o7777 }) } }),
    ...(times && { times }),
  };
}

const letters = { file: '-', directory: 'd', symlink: 'l', other: '?' } as const;

/** A line such as `ls -l` prints, which clients show and do not parse. */
export function longName(name: string, { kind, mode, uid, gid, size, modified }: FileEntry): string {
  const bits = Array.from('rwxrwxrwx', (letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-')).join('');
  const date = new Date(modified * 1000).toISOString().slice(0, 16).replace('T', ' ');
  return `${letters[kind]}${bits} 1 ${String(uid)} ${String(gid)} ${String(size)} ${date} ${name}`;
}
