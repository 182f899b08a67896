import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import type { InstanceFiles } from '../../resources/instance-files.ts';
import type { Session } from '../session.ts';

export interface FileTarget {
  readonly client: Client;
  readonly instance: string;
  /** undefined = the files as they are now */
  readonly snapshot: string | undefined;
  readonly files: InstanceFiles;
  /** absolute inside the instance; a slash at its end says that it is a folder */
  readonly path: string;
}

/** "[remote:]instance/path", or "[remote:]instance@snapshot:/path" for a file as it was. */
export async function fileTarget(session: Session, argument: string): Promise<FileTarget> {
  const { remote, name } = session.named(argument);
  const { instance, snapshot, path } = parseFile(name) ?? {};
  if (instance === undefined || path === undefined)
    throw new ApiError(
      'invalid-argument',
      `Invalid path "${argument}": use <instance>/<path> or <instance>@<snapshot>:/<path>`,
    );
  const client = await session.client(remote);
  return { client, instance, snapshot, files: client.instances.files(instance, snapshot), path };
}

/** The same for files that are to be changed. */
export async function writableTarget(session: Session, argument: string): Promise<FileTarget> {
  const target = await fileTarget(session, argument);
  if (target.snapshot === undefined) return target;
  throw new ApiError(
    'invalid-argument',
    `Cannot change "${argument}": the files of a snapshot stay as they are; "file restore" brings them back`,
  );
}

/** The same for files of a snapshot. */
export async function snapshotTarget(
  session: Session,
  argument: string,
): Promise<FileTarget & { readonly snapshot: string }> {
  const target = await fileTarget(session, argument);
  if (target.snapshot !== undefined) return { ...target, snapshot: target.snapshot };
  throw new ApiError('invalid-argument', `Invalid path "${argument}": use <instance>@<snapshot>:/<path>`);
}

/**
 * Names of instances hold no "@", and what precedes the first slash is no path: nothing that LXD understands is taken
 * for a snapshot.
 */
export function parseFile(
  text: string,
): { readonly instance: string; readonly snapshot: string | undefined; readonly path: string } | undefined {
  const [, place = '', rest] = /^([^/]+)\/+(.*)$/s.exec(text) ?? [];
  if (rest === undefined) return undefined;
  const path = `/${rest}`;
  const [, instance, snapshot] = /^([^@]+)@(.+):$/.exec(place) ?? [];
  if (instance !== undefined && snapshot !== undefined) return { instance, snapshot, path };
  return { instance: place, snapshot: undefined, path };
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
