import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '#api/error.ts';
import type { Operation } from '#api/operation.ts';
import type { Client } from '../../client.ts';
import { parsePairs } from '../key-values.ts';
import { multipartFiles } from '../multipart.ts';
import type { ImageFile } from '../image-remote.ts';
import type { Session } from '../session.ts';
import { ensureAliases } from './image-copy.ts';

export async function importImage(
  session: Session,
  args: readonly string[],
  options: { readonly alias: readonly string[]; readonly public: boolean },
): Promise<void> {
  const properties = args.filter(argument => /^[\w.-]+=/.test(argument) && !existsSync(argument));
  const remotes = args.filter(argument => /^[A-Za-z0-9][A-Za-z0-9_.-]*:$/.test(argument));
  const files = args.filter(argument => !properties.includes(argument) && !remotes.includes(argument));
  const [first, second, ...extra] = files;
  if (first === undefined || extra.length > 0)
    throw new ApiError('invalid-argument', 'Name one image file, or metadata and root file system');
  const client = await session.client(remotes[0]?.slice(0, -1));
  if (/^https?:\/\//.test(first)) {
    await importUrl(session, client, first, { ...options, properties: parsePairs(properties) });
    return;
  }
  for (const file of files) if (!existsSync(file)) throw new ApiError('not-found', `File "${file}" not found`);
  const folder = files.find(file => statSync(file).isDirectory());
  if (folder !== undefined && second !== undefined)
    throw new ApiError('invalid-argument', `"${folder}" is a folder: an image in two parts is made of files`);
  const headers: Record<string, string> = {
    'x-lxd-public': String(options.public),
    'x-lxd-filename': path.basename(first),
    'x-lxd-properties': new URLSearchParams(parsePairs(properties)).toString(),
  };
  const operation = await session.finish(
    client.images.upload({
      headers,
      ...(folder === undefined ? uploadOf(first, second, headers) : { upload: packFolder(folder) }),
    }),
    'Importing',
  );
  await nameImported(session, client, operation, options.alias);
}

async function importUrl(
  session: Session,
  client: Client,
  url: string,
  options: { readonly alias: readonly string[]; readonly public: boolean; readonly properties: object },
): Promise<void> {
  const { public: isPublic, properties } = options;
  const request = { source: { type: 'url', mode: 'pull', url }, public: isPublic, properties };
  await nameImported(session, client, await session.finish(client.images.create(request), 'Importing'), options.alias);
}

async function nameImported(
  session: Session,
  client: Client,
  operation: Operation | undefined,
  aliases: readonly string[],
): Promise<void> {
  const fingerprint = operation?.metadata?.['fingerprint'];
  if (typeof fingerprint !== 'string')
    throw new ApiError('internal', 'The server did not tell the fingerprint of the image');
  session.line(`Image imported with fingerprint: ${fingerprint}`);
  await ensureAliases(client, fingerprint, aliases);
}

/** A folder with `metadata.yaml` and `rootfs` as an archive, packed while it is sent. */
function packFolder(folder: string): Readable {
  const args = ['--numeric-owner', '--xattrs', '--acls', '-C', folder, '-cf', '-', '--', ...readdirSync(folder).sort()];
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const packed = tar.stdout.pipe(new PassThrough(), { end: false });
  tar.on('error', error => packed.destroy(error));
  tar.on('close', status => {
    if (status === 0) packed.end();
    else packed.destroy(new ApiError('failed-precondition', `Failed packing the folder "${folder}"`));
  });
  return packed;
}

function uploadOf(first: string, second: string | undefined, headers: Record<string, string>): { upload: Readable } {
  if (second === undefined) {
    headers['content-length'] = String(statSync(first).size);
    return { upload: createReadStream(first, { highWaterMark: 1 << 18 }) };
  }
  const boundary = `lxd-like-${randomUUID()}`;
  headers['content-type'] = `multipart/form-data; boundary=${boundary}`;
  const parts = [
    { name: 'metadata', file: first },
    { name: 'rootfs', file: second },
  ];
  return { upload: Readable.from(multipartFiles(boundary, parts)) };
}

export async function exportImage(
  session: Session,
  files: AsyncIterable<ImageFile>,
  { fingerprint, target }: { readonly fingerprint: string; readonly target: string },
): Promise<void> {
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  const placed = (name: string, isRootfs: boolean): string => {
    if (isFolder) return path.join(target, safeName(name, fingerprint));
    if (isRootfs) return `${target}.root${extensionOf(name)}`;
    return path.extname(target) === '' || !path.basename(target).includes('.')
      ? `${target}${extensionOf(name)}`
      : target;
  };
  for await (const { filename, isRootfs, body } of files) await save(placed(filename, isRootfs), body);
  session.note('Image exported successfully!');
}

async function save(file: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await pipeline(Readable.from(body, { objectMode: false }), createWriteStream(file, { mode: 0o600 }));
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** A name from the server must stay inside the folder. */
function safeName(name: string, fallback: string): string {
  const base = path.basename(name);
  return base === '' || base === '.' || base === '..' || base.includes('\0') ? fallback : base;
}

function extensionOf(name: string): string {
  return /(\.tar)?\.[A-Za-z0-9]{1,8}$/.exec(path.basename(name))?.[0] ?? '';
}
