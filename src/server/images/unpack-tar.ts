import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '#api/error.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { formatSize } from '#base/units.ts';
import { decompressors, detectFormat } from './archive-format.ts';
import { malformed, type TarMember } from './tar-header.ts';
import { TarScan, type TarLimits } from './tar-scan.ts';

export const unpackTimeoutMs = 30 * 60_000;
const progressIntervalMs = 200;

export interface UnpackOptions {
  readonly signal?: AbortSignal;
  /** short texts such as "Unpack: 120.00MiB (80.00MiB/s)" */
  readonly onProgress?: (text: string) => void;
  readonly limits?: Partial<TarLimits>;
}

export interface UnpackStep extends UnpackOptions {
  readonly limits: TarLimits;
  /** throws for members that must not be unpacked */
  readonly judge: (member: TarMember) => void;
}

/** Unpacks an archive into an existing folder. */
export async function unpackTar(
  file: string,
  folder: string,
  { signal, onProgress, limits, judge }: UnpackStep,
): Promise<void> {
  const failing = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  const scan = new TarScan(limits, {
    member: member => {
      judge(member);
      return false;
    },
  });
  destroyOnAbort(scan, stop);
  const progress = onProgress && reportProgress(scan, onProgress);
  try {
    await allOrStop(failing, [
      decompress(file, scan, stop),
      extract(folder, scan, stop),
      new Promise<void>((resolve, reject) => scan.on('error', reject).on('end', resolve).on('close', resolve)),
    ]);
  } catch (error) {
    throw unpackError(error);
  } finally {
    clearInterval(progress);
    scan.destroy();
  }
}

async function extract(folder: string, scan: TarScan, signal: AbortSignal): Promise<void> {
  await runCommand('tar', tarArguments(folder), { input: scan, signal, timeoutMs: unpackTimeoutMs });
  // tar may leave before it has read what follows the end mark, and a pipe that closes later would pause the rest
  scan.unpipe();
  scan.resume();
}

/** Writes the uncompressed archive into `scan` and ends it; destroys it on failure, so that nobody waits for the rest. */
export async function decompress(file: string, scan: TarScan, signal: AbortSignal): Promise<void> {
  try {
    const format = await detectFormat(file);
    if (format === 'tar') {
      await pipeline(createReadStream(file, { highWaterMark: 2 ** 18 }), scan, { signal });
      return;
    }
    const decompressor = decompressors[format];
    if (!decompressor) throw malformed('it is a file system, where a tar archive must be');
    const { program, args } = decompressor;
    await runCommand(program, [...args, file], { output: scan, signal, timeoutMs: unpackTimeoutMs });
    scan.end();
  } catch (error) {
    scan.destroy();
    throw error;
  }
}

/**
 * GNU tar strips leading slashes, refuses "..", and makes links that point outside only after everything else, so
 * that nothing is written through them.
 */
export function tarArguments(folder: string): readonly string[] {
  return [
    '--extract',
    '--file=-',
    `--directory=${folder}`,
    '--numeric-owner',
    '--same-owner',
    '--same-permissions',
    '--acls',
    '--xattrs',
    '--xattrs-include=user.*',
    '--xattrs-include=security.capability',
    '--warning=no-timestamp',
    '--warning=no-unknown-keyword',
  ];
}

/** Whoever waits for the end of the scan must not wait for ever when its source was stopped. */
export function destroyOnAbort(scan: TarScan, signal: AbortSignal): void {
  if (signal.aborted) scan.destroy();
  else signal.addEventListener('abort', () => scan.destroy(), { once: true });
}

/** Waits for all; the first failure stops the others and is the one that is thrown. */
export async function allOrStop(stop: AbortController, work: readonly Promise<unknown>[]): Promise<void> {
  let first: unknown;
  let failed = false;
  await Promise.all(
    work.map(part =>
      part.catch((error: unknown) => {
        if (!failed) first = error;
        failed = true;
        stop.abort(error);
      }),
    ),
  );
  if (failed) throw first;
}

function unpackError(error: unknown): unknown {
  if (!(error instanceof CommandError)) return error;
  if (/No space left|quota exceeded/i.test(error.stderr))
    return new ApiError('out-of-space', 'Failed unpacking the image: no space is left in the storage pool', {
      cause: error,
    });
  return new ApiError('invalid-argument', `Failed unpacking the image: ${error.message}`, { cause: error });
}

function reportProgress(scan: TarScan, onProgress: (text: string) => void): NodeJS.Timeout {
  const started = performance.now();
  return setInterval(() => {
    const rate = scan.passed / Math.max(0.001, (performance.now() - started) / 1000);
    onProgress(`Unpack: ${formatSize(scan.passed)} (${formatSize(rate)}/s)`);
  }, progressIntervalMs);
}
