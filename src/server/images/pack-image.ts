import { lstat, mkdir, open, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { formatSize } from '#base/units.ts';
import type { Services } from '../services.ts';
import type { Compression } from './compression.ts';
import { type ReceivedImage, settleImageFile, temporaryImagePath } from './receive-image.ts';
import { allOrStop } from './unpack-tar.ts';

export interface PackOptions {
  readonly compression: Compression;
  readonly signal: AbortSignal;
  /** such as "Image pack: 120.00MiB (30.00MiB/s)" */
  readonly onProgress: (text: string) => void;
}

const timeoutMs = 12 * 3_600_000;
const reportMs = 200;

/**
 * Packs the tree of an instance as a unified image: `rootfs` and `templates` of its volume and the metadata that is
 * given. Links are packed, never followed; the same tree gives the same bytes. Nothing is left when it fails.
 */
export async function packImage(
  services: Pick<Services, 'paths' | 'log'>,
  folder: string,
  metadata: string,
  options: PackOptions,
): Promise<ReceivedImage> {
  const file = await temporaryImagePath(services.paths);
  const work = `${file}.publish`;
  await using cleanUp = new Revert(services.log);
  await mkdir(work, { mode: 0o700 });
  cleanUp.add('preparing the image', () => rm(work, { recursive: true, force: true }));
  await using revert = new Revert(services.log);
  revert.add('packing the image', () => rm(file, { force: true }));
  const described = path.join(work, 'metadata.yaml');
  await writeFile(described, metadata, { mode: 0o644 });
  await utimes(described, 0, 0);
  try {
    if (options.compression.squashfs) await packSquashfs(folder, work, file, options);
    else await packTar(folder, work, file, options);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const full = /No space left|quota exceeded/i.test(error.stderr);
    throw new ApiError(full ? 'out-of-space' : 'internal', `Failed packing the image: ${error.message}`, {
      cause: error,
    });
  }
  const received = await settleImageFile(file);
  revert.commit();
  return received;
}

async function packTar(folder: string, work: string, file: string, options: PackOptions): Promise<void> {
  const { program, args } = options.compression;
  const failing = new AbortController();
  const limits = { signal: AbortSignal.any([options.signal, failing.signal]), timeoutMs };
  const parts = ['rootfs', ...((await exists(path.join(folder, 'templates'))) ? ['templates'] : [])];
  await using handle = await open(file, 'wx', 0o600);
  const output = handle.createWriteStream({ autoClose: false });
  const counter = counting(options.onProgress);
  try {
    const tar = runCommand('tar', [...tarArguments(work, folder), ...parts], { ...limits, output: counter });
    const packed =
      program === undefined
        ? pipeline(counter, output)
        : runCommand(program, args, { ...limits, input: counter, output });
    await allOrStop(failing, [tar.then(() => counter.end()), packed]);
    if (program !== undefined) await new Promise<void>((resolve, reject) => output.once('error', reject).end(resolve));
  } finally {
    counter.destroy();
    output.destroy();
  }
}

function tarArguments(work: string, folder: string): readonly string[] {
  return [
    '--create',
    '--file=-',
    '--format=posix',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    '--sort=name',
    '--numeric-owner',
    '--xattrs',
    '--acls',
    '--warning=no-file-ignored', // sockets
    `--directory=${work}`,
    'metadata.yaml',
    `--directory=${folder}`,
  ];
}

async function packSquashfs(folder: string, work: string, file: string, { signal }: PackOptions): Promise<void> {
  const parts = [path.join(work, 'metadata.yaml'), path.join(folder, 'rootfs')];
  const templates = path.join(folder, 'templates');
  if (await exists(templates)) parts.push(templates);
  const args = [...parts, file, '-noappend', '-no-progress', '-quiet', '-no-recovery'];
  await runCommand('mksquashfs', args, { signal, timeoutMs });
}

function counting(onProgress: (text: string) => void): Transform {
  const started = performance.now();
  let reported = started;
  let size = 0;
  return new Transform({
    highWaterMark: 2 ** 18,
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      const now = performance.now();
      if (now - reported >= reportMs) {
        reported = now;
        const rate = Math.floor(size / Math.max(0.001, (now - started) / 1000));
        onProgress(`Image pack: ${formatSize(size)} (${formatSize(rate)}/s)`);
      }
      done(null, chunk);
    },
  });
}

async function exists(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => undefined)) !== undefined;
}
