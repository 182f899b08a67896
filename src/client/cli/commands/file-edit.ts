import { ApiError } from '#api/error.ts';
import { readAll } from '../../transport.ts';
import type { Session } from '../session.ts';
import { fileHeaders, writableTarget } from './file-target.ts';

/** Replaces the content of a file with what $EDITOR or standard input gives; owner and mode stay. */
export async function editFile(session: Session, given: string): Promise<void> {
  const { files, path } = await writableTarget(session, given);
  const answer = await files.get(path);
  const { 'x-lxd-type': type, 'x-lxd-uid': uid, 'x-lxd-gid': gid, 'x-lxd-mode': mode } = answer.headers;
  if (type === 'directory') throw new ApiError('invalid-argument', `Cannot edit "${path}": it is a folder`);
  const before = await readAll(answer.body);
  let after: string;
  if (session.streams.stdin.isTTY) {
    const { editText } = await import('../output/editor.ts');
    after = await editText(session.env, before, '');
  } else after = await session.input();
  if (after === before) return;
  const owner = { uid: Number(uid ?? 0), gid: Number(gid ?? 0), mode: Number.parseInt(mode ?? '0644', 8) };
  await files.put(path, { headers: fileHeaders('file', owner), upload: Buffer.from(after) });
}
