import { createWriteStream, existsSync, statSync } from 'node:fs';
import { chmod, mkdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '#api/error.ts';
import type { Envelope } from '#api/envelope.ts';
import { readAll } from '../../transport.ts';
import type { Session } from '../session.ts';
import { fileTarget, type FileTarget } from './file-target.ts';

export interface PullOptions {
  readonly createDirs: boolean;
  readonly recursive: boolean;
}

export async function pull(
  session: Session,
  sources: readonly string[],
  target: string,
  options: PullOptions,
): Promise<void> {
  const isOutput = target === '-';
  const intoFolder = !isOutput && (target.endsWith('/') || sources.length > 1 || isFolder(target));
  if (options.createDirs && !isOutput) await mkdir(intoFolder ? target : path.dirname(target), { recursive: true });
  if (intoFolder && !isFolder(target))
    throw new ApiError('not-found', `Folder "${target}" not found. Create it, or use "--create-dirs"`);
  for (const source of sources) {
    const from = await fileTarget(session, source);
    const name =
      from.path
        .split('/')
        .filter(part => part !== '')
        .pop() ?? from.instance;
    if (isOutput) await print(session, from);
    else await pullEntry(from, intoFolder ? path.join(target, name) : target, options.recursive);
  }
}

async function print(session: Session, from: FileTarget): Promise<void> {
  const answer = await from.files.get(from.path);
  if (answer.headers['x-lxd-type'] === 'directory') throw new ApiError('invalid-argument', 'Cannot print a folder');
  await pipeline(Readable.from(answer.body, { objectMode: false }), session.streams.stdout, { end: false });
}

async function pullEntry(from: FileTarget, to: string, recursive: boolean): Promise<void> {
  const answer = await from.files.get(from.path);
  const type = answer.headers['x-lxd-type'];
  const mode = Number.parseInt(answer.headers['x-lxd-mode'] ?? '0644', 8) & 0o777;
  if (type === 'directory') {
    if (!recursive)
      throw new ApiError('invalid-argument', `Cannot pull the folder "${from.path}" without "--recursive"`);
    const names = (JSON.parse(await readAll(answer.body)) as Envelope<readonly string[]>).metadata ?? [];
    await mkdir(to, { recursive: true });
    for (const name of names) {
      // The guest chooses these names: one that is no plain name would be written elsewhere.
      if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) continue;
      await pullEntry({ ...from, path: path.join(from.path, name) }, path.join(to, name), recursive);
    }
    await chmod(to, mode | 0o700);
  } else if (type === 'symlink') {
    await rm(to, { force: true });
    await symlink((await readAll(answer.body)).trim(), to);
  } else {
    // A link that an earlier pull left here must not be written through.
    if (recursive) await rm(to, { force: true });
    await pipeline(Readable.from(answer.body, { objectMode: false }), createWriteStream(to, { mode }));
    await chmod(to, mode);
  }
}

function isFolder(target: string): boolean {
  return existsSync(target) && statSync(target).isDirectory();
}
