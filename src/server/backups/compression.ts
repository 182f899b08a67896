import { PassThrough, type Readable, type Writable } from 'node:stream';
import { createReadStream } from 'node:fs';
import { ApiError, invalid } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import { decompressors, detectFormat } from '../images/archive-format.ts';
import { type Compression, parseCompression } from '../images/compression.ts';

const dayMs = 24 * 3600 * 1000;
const chunkBytes = 2 ** 18;

/** Reads "gzip", "none", or a name with a level such as "zstd -3". Throws "invalid-argument". */
export function backupCompression(text: string): Compression {
  const compression = parseCompression(text);
  if (!compression.squashfs) return compression;
  throw invalid('compression_algorithm', 'Invalid compression algorithm "squashfs": backups are tar archives here');
}

/** Writes what `produce` writes into `output`, compressed, and leaves `output` open. */
export async function compressed(
  { program, args }: Compression,
  output: Writable,
  produce: (raw: Writable) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (program === undefined) return await produce(output);
  const raw = new PassThrough({ highWaterMark: chunkBytes });
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const packing = runCommand(program, args, { input: raw, output, timeoutMs: dayMs, signal: either });
  // a compressor that ends early must not leave the producer waiting for room
  packing.catch((error: unknown) => raw.destroy(error as Error));
  try {
    await produce(raw);
    raw.end();
  } catch (error) {
    stop.abort(error);
    raw.destroy();
    await packing.catch(() => undefined);
    throw error;
  }
  await packing;
}

/** The bytes of an archive, uncompressed; the stream fails when they cannot be had. */
export async function decompressed(file: string, signal: AbortSignal): Promise<Readable> {
  const format = await detectFormat(file, 'backup');
  if (format === 'tar') return createReadStream(file, { highWaterMark: chunkBytes, signal });
  const decompressor = decompressors[format];
  if (!decompressor)
    throw new ApiError('unsupported', 'Cannot read the backup: archives in squashfs format are not supported');
  const output = new PassThrough({ highWaterMark: chunkBytes });
  const { program, args } = decompressor;
  runCommand(program, [...args, file], { output, timeoutMs: dayMs, signal }).then(
    () => output.end(),
    (error: unknown) => output.destroy(error as Error),
  );
  return output;
}
