import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import type { ScratchFolder } from './scratch-folder.ts';

const unpackMs = 3_600_000;

/** Unpacks an archive with all that its files have; tar(1) itself lets no member out of the folder. */
export async function unpackRoot(archive: string, scratch: ScratchFolder): Promise<string> {
  const folder = path.join(scratch.path, 'unpacked');
  mkdirSync(folder, { mode: 0o700 });
  const kept = ['--numeric-owner', '--same-owner', '--same-permissions', '--xattrs', '--xattrs-include=*', '--acls'];
  await runCommand('tar', ['-C', folder, ...kept, '--delay-directory-restore', '-xf', archive], {
    timeoutMs: unpackMs,
  }).catch((error: unknown) => {
    const reason = error instanceof CommandError ? error.stderr.trim().split('\n').at(-1) : undefined;
    throw new ApiError('invalid-argument', `Cannot unpack "${archive}": ${reason || String(error)}`, { cause: error });
  });
  return folder;
}

/** Where the root file system is: at the top, in "rootfs" or in the only folder. */
export function rootOf(folder: string, source: string): string {
  const names = readdirSync(folder);
  if (names.includes('backup')) throw elsewhere(source, 'a backup: use "lxd-like import"');
  if (names.includes('metadata.yaml')) throw elsewhere(source, 'an image: use "lxd-like image import"');
  const candidates = ['.', 'rootfs', ...(names.length === 1 ? names : [])].map(name => path.join(folder, name));
  const root = candidates.find(one => isFolder(one) && isFolder(path.join(one, 'etc')));
  if (root !== undefined) return root;
  throw elsewhere(source, 'no root file system: it has no "etc"');
}

function isFolder(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function elsewhere(source: string, what: string): ApiError {
  return new ApiError('invalid-argument', `"${source}" is ${what}`);
}
