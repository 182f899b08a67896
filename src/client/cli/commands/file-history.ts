import type { FileVersion } from '#api/file.ts';
import { ApiError } from '#api/error.ts';
import type { Format } from '../command.ts';
import { shortDate } from '../output/dates.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { modeLetters } from './file-list.ts';
import { fileTarget } from './file-target.ts';

/** Prints the versions of a file; `given` is "instance/path", or the instance when the path comes apart. */
export async function printHistory(
  session: Session,
  given: string,
  path: string | undefined,
  format: Format,
): Promise<void> {
  const target = await fileTarget(session, path === undefined ? given : `${given}/${path}`);
  if (target.snapshot !== undefined)
    throw new ApiError('invalid-argument', `Invalid path "${given}": a history is that of all snapshots`);
  const versions = await target.client.instances.fileHistory(target.instance, target.path);
  await printList(session, format, versions, () => ({
    header: ['SNAPSHOTS', 'CHANGED', 'MODE', 'OWNER', 'SIZE', 'MODIFIED'],
    rows: versions.map(rowOf),
  }));
}

function rowOf({ snapshots, current, changed, type, mode, uid, gid, size, modified_at }: FileVersion): string[] {
  const where = [...snapshots, ...(current ? ['(now)'] : [])].join('\n');
  if (type === 'absent') return [where, 'absent', '', '', '', ''];
  return [
    where,
    changed.join('\n'),
    modeLetters(type, mode ?? '0'),
    `${String(uid)}:${String(gid)}`,
    String(size),
    shortDate(modified_at),
  ];
}
