import { open } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';

export type ArchiveFormat = 'tar' | 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'squashfs';

/** The usual ending of a file's name, with its dot. */
export const formatEndings: Readonly<Record<ArchiveFormat, string>> = {
  tar: '.tar',
  gzip: '.tar.gz',
  xz: '.tar.xz',
  zstd: '.tar.zst',
  bzip2: '.tar.bz2',
  squashfs: '.squashfs',
};

interface Decompressor {
  readonly program: string;
  readonly args: readonly string[];
}

const memory = '512MiB'; // what `xz -9e` and `zstd --ultra` with their own windows need, and no more

/** Programs that write a compressed file to standard output; the file's path is added. Nothing else is ever run. */
export const decompressors: Readonly<Partial<Record<ArchiveFormat, Decompressor>>> = {
  gzip: { program: 'gzip', args: ['-dc', '--'] },
  xz: { program: 'xz', args: ['-dc', '-T0', `--memlimit-decompress=${memory}`, '--'] },
  zstd: { program: 'zstd', args: ['-dcq', `--memory=${memory}`, '--'] },
  bzip2: { program: 'bzip2', args: ['-dc', '--'] },
};

const bytesNeeded = 263;

/** Reads the first bytes: names and content types of uploads say nothing that can be trusted. */
export async function detectFormat(file: string, noun = 'image'): Promise<ArchiveFormat> {
  await using handle = await open(file, 'r');
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytesNeeded), 0, bytesNeeded, 0);
  const format = formatOf(buffer.subarray(0, bytesRead));
  if (!format)
    throw new ApiError(
      'invalid-argument',
      `The ${noun} is neither a tar archive (plain, gzip, xz, zstd or bzip2) nor a squashfs file system`,
    );
  return format;
}

/** Magic bytes: RFC 1952, RFC 8878, the .xz file format, squashfs 4.0, POSIX ustar at offset 257. */
export function formatOf(head: Buffer): ArchiveFormat | undefined {
  if (startsWith(head, [0x1f, 0x8b])) return 'gzip';
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return 'xz';
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  if (head.subarray(0, 3).toString('latin1') === 'BZh') return 'bzip2';
  if (head.subarray(0, 4).toString('latin1') === 'hsqs') return 'squashfs';
  if (head.subarray(257, 262).toString('latin1') === 'ustar') return 'tar';
  return undefined;
}

function startsWith(head: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}
