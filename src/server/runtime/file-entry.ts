import type { FileEntry, NamedEntry } from './runtime.ts';

/** sizeof struct file_entry of native/ns/file-operations.h */
const entryBytes = 56;

/** S_IFMT values of inode(7) */
const kinds: ReadonlyMap<number, FileEntry['kind']> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);
const specials: ReadonlyMap<number, NonNullable<FileEntry['special']>> = new Map([
  [0o010000, 'pipe'],
  [0o140000, 'socket'],
  [0o020000, 'char-device'],
  [0o060000, 'block-device'],
]);

/** Reads a struct file_entry. */
export function decodeEntry(payload: Buffer, at = 0): FileEntry {
  const mode = payload.readUInt32LE(at);
  const special = specials.get(mode & 0o170000);
  const modified = payload.readBigInt64LE(at + 24);
  return {
    kind: kinds.get(mode & 0o170000) ?? 'other',
    ...(special && { special }),
    mode: mode & 0o7777,
    uid: payload.readUInt32LE(at + 4),
    gid: payload.readUInt32LE(at + 8),
    size: Number(payload.readBigInt64LE(at + 16)),
    modified: Number(modified),
    identity: [
      payload.readUInt32LE(at + 12),
      modified,
      payload.readUInt32LE(at + 48),
      payload.readBigInt64LE(at + 32),
      payload.readUInt32LE(at + 52),
      payload.readBigUInt64LE(at + 40),
    ].join('.'),
  };
}

/** Reads the answer to a list of entries: each is followed by its name and a link's target. Sorted by name. */
export function decodeEntries(payload: Buffer): readonly NamedEntry[] {
  const entries: NamedEntry[] = [];
  for (let at = 0; at + entryBytes < payload.length;) {
    const nameEnd = payload.indexOf(0, at + entryBytes);
    const targetEnd = payload.indexOf(0, nameEnd + 1);
    const target = payload.toString('utf8', nameEnd + 1, targetEnd);
    entries.push({
      name: payload.toString('utf8', at + entryBytes, nameEnd),
      ...decodeEntry(payload, at),
      ...(target !== '' && { target }),
    });
    at = targetEnd + 1;
  }
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
}
