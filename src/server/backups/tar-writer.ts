import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { CommandError, runCommand } from '#base/run-command.ts';
import { blockSize } from '../images/tar-header.ts';
import { paddingOf } from './tar-reader.ts';

const dayMs = 24 * 3600 * 1000;

/** A file tree and the name it has in an archive. */
export interface ArchivedTree {
  /** absolute */
  readonly folder: string;
  /** such as backup/snapshots/snap0 */
  readonly name: string;
}

export async function writeBytes(output: Writable, bytes: Uint8Array): Promise<void> {
  if (output.destroyed) throw output.errored ?? new Error('The reader of the archive went away');
  if (!output.write(bytes)) await once(output, 'drain');
}

/** Writes a small file of the daemon's own as a member. */
export async function writeText(output: Writable, name: string, text: string): Promise<void> {
  const content = Buffer.from(text);
  const padding = Buffer.alloc(paddingOf(content.length));
  await writeBytes(output, Buffer.concat([headerOf(name, content.length, 0o644), content, padding]));
}

/** Writes what `produce` writes as a member; its size stands before it, so it is spooled to a file first. */
export async function writeSpooled(
  output: Writable,
  name: string,
  spool: string,
  produce: (into: Writable) => Promise<void>,
): Promise<void> {
  try {
    const file = createWriteStream(spool, { flags: 'wx', mode: 0o600 });
    await produce(file);
    file.end();
    await once(file, 'close');
    const { size } = await stat(spool);
    await writeBytes(output, headerOf(name, size, 0o600));
    await pipeline(createReadStream(spool, { highWaterMark: 2 ** 18 }), output, { end: false });
    await writeBytes(output, Buffer.alloc(paddingOf(size)));
  } finally {
    await rm(spool, { force: true });
  }
}

/** Writes trees as they are, with owners, modes, ACLs, capabilities, holes and special files, and ends the archive. */
export async function writeTrees(
  output: Writable,
  trees: readonly ArchivedTree[],
  signal?: AbortSignal,
): Promise<void> {
  const args = [
    '--create',
    '--file=-',
    '--directory=/',
    '--format=posix',
    '--pax-option=delete=atime,delete=ctime',
    '--numeric-owner',
    '--sparse',
    '--acls',
    '--xattrs',
    '--xattrs-include=user.*',
    '--xattrs-include=security.capability',
    '--warning=no-file-ignored', // sockets, which no archive can hold
    ...new Set(trees.map(renaming)),
    '--',
    ...trees.map(({ folder }) => path.relative('/', folder)),
  ];
  try {
    await runCommand('tar', args, { output, timeoutMs: dayMs, ...(signal && { signal }) });
  } catch (error) {
    if (!onlyChanged(error)) throw error;
  }
}

/** Ends an archive that has no trees. */
export async function writeEnd(output: Writable): Promise<void> {
  await writeBytes(output, Buffer.alloc(2 * blockSize));
}

/** One rule for all trees of a folder that keep their last name, so that many snapshots do not mean many rules. */
function renaming({ folder, name }: ArchivedTree): string {
  const from = path.relative('/', folder);
  const keeps = path.basename(from) === path.basename(name);
  const [old, fresh] = keeps ? [`${path.dirname(from)}/`, `${path.dirname(name)}/`] : [from, name];
  const pattern = old.replace(/[.[\]*^$\\,]/g, '\\$&');
  // r, S, h: names and hard links are renamed, what symbolic links point to is not
  return `--transform=flags=rSh;s,^${pattern}${keeps ? '' : '\\(/\\|$\\)'},${fresh.replace(/[\\&,]/g, '\\$&')}${keeps ? '' : '\\1'},`;
}

/** A running guest may change and delete files while they are read; that is no failure. */
function onlyChanged(error: unknown): boolean {
  return error instanceof CommandError && error.status === 1;
}

/** A ustar header (POSIX.1-2001) of a plain file that belongs to root. */
function headerOf(name: string, size: number, mode: number): Buffer {
  if (Buffer.byteLength(name) > 100) return Buffer.concat([longName(name), headerOf(name.slice(0, 24), size, mode)]);
  return fixedHeader(name, size, mode, '0');
}

/** GNU tar's header for names that do not fit. */
function longName(name: string): Buffer {
  const body = Buffer.from(`${name}\0`);
  return Buffer.concat([
    fixedHeader('././@LongLink', body.length, 0o644, 'L'),
    body,
    Buffer.alloc(paddingOf(body.length)),
  ]);
}

function fixedHeader(name: string, size: number, mode: number, type: string): Buffer {
  const header = Buffer.alloc(blockSize);
  header.write(name, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  writeSize(header, size);
  header.write(
    `${Math.floor(Date.now() / 1000)
      .toString(8)
      .padStart(11, '0')}\0`,
    136,
  );
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Octal, or big-endian bytes behind a set top bit from 8 GiB on (GNU). */
function writeSize(header: Buffer, size: number): void {
  if (size < 8 ** 11) {
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  header[124] = 0x80;
  header.writeBigUInt64BE(BigInt(size), 128);
}
