import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import type { Session } from '../session.ts';

export interface FileTarget {
  readonly client: Client;
  readonly instance: string;
  /** absolute inside the instance; a slash at its end says that it is a folder */
  readonly path: string;
}

/** "[remote:]instance/path". */
export async function fileTarget(session: Session, argument: string): Promise<FileTarget> {
  const { remote, name, rest } = session.namedPath(argument);
  if (rest === undefined || name === '') {
    throw new ApiError('invalid-argument', `Invalid path "${argument}": use <instance>/<path>`);
  }
  return { client: await session.client(remote), instance: name, path: `/${rest.replace(/^\/+/, '')}` };
}

/** Headers that say what a pushed file shall be. */
export function fileHeaders(
  type: 'file' | 'directory' | 'symlink',
  owner: { readonly uid?: number | undefined; readonly gid?: number | undefined; readonly mode?: number | undefined },
): Record<string, string> {
  const headers: Record<string, string> = { 'x-lxd-type': type };
  if (owner.uid !== undefined && owner.uid >= 0) headers['x-lxd-uid'] = String(owner.uid);
  if (owner.gid !== undefined && owner.gid >= 0) headers['x-lxd-gid'] = String(owner.gid);
  if (owner.mode !== undefined) headers['x-lxd-mode'] = (owner.mode & 0o7777).toString(8).padStart(4, '0');
  return headers;
}
