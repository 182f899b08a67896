import { Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { formatSize } from '#base/units.ts';
import { unpackTimeoutMs, type UnpackStep } from './unpack-tar.ts';

/** Unpacks a squashfs file system into an existing folder, after its listing was held against the limits. */
export async function unpackSquashfs(file: string, folder: string, { signal, limits }: UnpackStep): Promise<void> {
  const options = { timeoutMs: unpackTimeoutMs, ...(signal && { signal }) };
  const listing = new ListingSum();
  try {
    await runCommand('unsquashfs', ['-lln', file], { ...options, output: listing });
    if (listing.bytes > limits.bytes)
      throw new ApiError('out-of-space', `The image unpacks to more than the ${formatSize(limits.bytes)} allowed`);
    if (listing.members > limits.members)
      throw new ApiError('invalid-argument', `The image holds more than ${String(limits.members)} files`);
    // -f: the folder is there; -n: no progress bar
    await runCommand('unsquashfs', ['-f', '-n', '-quiet', '-dest', folder, file], options);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const full = /No space left|quota exceeded/i.test(error.stderr);
    throw new ApiError(full ? 'out-of-space' : 'invalid-argument', `Failed unpacking the image: ${error.message}`, {
      cause: error,
    });
  }
}

/** Sums `unsquashfs -lln`: "-rw-r--r-- 0/0   1234 2024-01-01 00:00 squashfs-root/x" a line. */
class ListingSum extends Writable {
  bytes = 0;
  members = 0;
  #rest = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, 8192);
    for (const line of lines) {
      const [mode, , size] = line.trim().split(/\s+/, 3);
      if (!mode || size === undefined) continue;
      this.members += 1;
      if (mode.startsWith('-')) this.bytes += Number(size) || 0;
    }
    done();
  }
}
