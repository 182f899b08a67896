import { ApiError } from '#api/error.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { detectFormat } from './archive-format.ts';
import { allOrStop, decompress, destroyOnAbort } from './unpack-tar.ts';
import { parseMetadata, type ImageMetadata } from './metadata.ts';
import { malformed } from './tar-header.ts';
import { TarScan } from './tar-scan.ts';

const limits = { bytes: 64 * 2 ** 30, members: 4_000_000 };

/** Reads metadata.yaml out of an archive without unpacking it; stops as soon as it was found. */
export async function readArchiveMetadata(file: string, signal?: AbortSignal): Promise<ImageMetadata> {
  if ((await detectFormat(file)) === 'squashfs') return await readSquashfsMetadata(file, signal);
  const found = new AbortController();
  const stop = signal ? AbortSignal.any([signal, found.signal]) : found.signal;
  let text: string | undefined;
  const scan = new TarScan(limits, {
    member: member => member.name === 'metadata.yaml' && member.type === 'file',
    content: (_member, content) => {
      text = content.toString('utf8');
      found.abort(new ApiError('canceled', 'Found'));
    },
  });
  const drained = new Promise<void>((resolve, reject) => {
    scan.on('error', reject).on('end', resolve).on('close', resolve).resume();
  });
  destroyOnAbort(scan, stop);
  try {
    await allOrStop(found, [decompress(file, scan, stop), drained]);
  } catch (error) {
    signal?.throwIfAborted();
    if (text === undefined) throw error;
  } finally {
    scan.destroy();
  }
  if (text === undefined) throw malformed('it has no metadata.yaml');
  return parseMetadata(text);
}

async function readSquashfsMetadata(file: string, signal: AbortSignal | undefined): Promise<ImageMetadata> {
  const options = { timeoutMs: 60_000, maxOutput: 2 ** 21, ...(signal && { signal }) };
  try {
    return parseMetadata((await runCommand('unsquashfs', ['-cat', file, 'metadata.yaml'], options)).stdout);
  } catch (error) {
    throw error instanceof CommandError ? malformed('it has no metadata.yaml') : error;
  }
}
