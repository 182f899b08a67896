import type { FileInfo, FileType } from '#api/file.ts';
import type { Format } from '../command.ts';
import { shortDate } from '../output/dates.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { fileTarget } from './file-target.ts';

/** Prints what is in a folder of an instance or a snapshot, or one file. */
export async function listFiles(session: Session, given: string, format: Format): Promise<void> {
  const { files, path } = await fileTarget(session, given.includes('/') ? given : `${given}/`);
  const found = await files.list(path);
  await printList(session, format, found, () => ({
    header: ['MODE', 'OWNER', 'SIZE', 'MODIFIED', 'NAME'],
    rows: found.map(rowOf),
  }));
}

function rowOf(file: FileInfo | string): readonly string[] {
  if (typeof file === 'string') return ['', '', '', '', file];
  const { name, type, mode, uid, gid, size, modified_at: modified, target } = file;
  return [
    modeLetters(type, mode),
    `${String(uid)}:${String(gid)}`,
    String(size),
    shortDate(modified),
    target === undefined ? name : `${name} -> ${target}`,
  ];
}

const typeLetters: Readonly<Record<FileType, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  pipe: 'p',
  socket: 's',
  'char-device': 'c',
  'block-device': 'b',
  other: '?',
};

/** Type and mode in the letters of ls(1), such as "-rw-r--r--". */
export function modeLetters(type: FileType, mode: string): string {
  const bits = Number.parseInt(mode, 8);
  const letters = Array.from('rwxrwxrwx', (letter, index) => ((bits >> (8 - index)) & 1 ? letter : '-'));
  // set-user-id, set-group-id and sticky stand in the place of the three x
  for (const [bit, index, letter] of [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ] as const)
    if (bits & bit) letters[index] = letters[index] === 'x' ? letter : letter.toUpperCase();
  return typeLetters[type] + letters.join('');
}
