import { createHash, randomBytes, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import type { StatePaths } from '../paths.ts';
import { temporaryPrefix } from './image-files.ts';
import { multipartBoundary, type MultipartPart, readMultipart } from './multipart.ts';

/** Files of an image that arrived, under temporary names in the folder of images, flushed to disk. */
export interface ReceivedImage {
  readonly main: string;
  readonly rootfs: string | undefined;
  /** SHA-256 over main, then rootfs */
  readonly fingerprint: string;
  readonly size: number;
  readonly filename: string;
}

/** One file of an image in two: "metadata", then "rootfs". */
export type ImagePart = MultipartPart;

const maxImageBytes = 64 * 2 ** 30;

/** A new path beside the images, so that it can be renamed to become one. */
export async function temporaryImagePath(paths: StatePaths): Promise<string> {
  await mkdir(paths.images, { recursive: true, mode: 0o700 });
  return path.join(paths.images, temporaryPrefix + randomBytes(12).toString('hex'));
}

/**
 * Writes an upload to disk while it is hashed: a unified archive as the body, or multipart/form-data with the parts
 * "metadata" and "rootfs" in this order. Nothing is left when it fails.
 */
export async function receiveImage(
  paths: StatePaths,
  contentType: string,
  body: AsyncIterable<Buffer>,
): Promise<ReceivedImage> {
  const boundary = multipartBoundary(contentType);
  if (boundary !== undefined) return await receiveParts(paths, readMultipart(body, boundary));
  if (/^multipart\//i.test(contentType)) throw new ApiError('invalid-argument', 'Invalid "Content-Type" header');
  const main = await temporaryImagePath(paths);
  const hash = createHash('sha256');
  try {
    const size = await store(body, main, hash, maxImageBytes);
    return { main, rootfs: undefined, fingerprint: hash.digest('hex'), size, filename: '' };
  } catch (error) {
    await rm(main, { force: true });
    throw error;
  }
}

/** A unified image that was written to a temporary path, safe on the disk and measured. */
export async function settleImageFile(file: string): Promise<ReceivedImage> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  await using handle = await open(file, 'r');
  await handle.chmod(0o600);
  await handle.sync();
  const { size } = await handle.stat();
  return { main: file, rootfs: undefined, fingerprint: hash.digest('hex'), size, filename: '' };
}

/** The same for a split image whose files come one after the other. */
export async function receiveParts(paths: StatePaths, parts: AsyncIterable<ImagePart>): Promise<ReceivedImage> {
  const main = await temporaryImagePath(paths);
  const rootfs = `${main}.rootfs`;
  const hash = createHash('sha256');
  const expected = [
    ['metadata', main],
    ['rootfs', rootfs],
  ] as const;
  let size = 0;
  let filename = '';
  let count = 0;
  try {
    for await (const part of parts) {
      const [name, file] = expected[count] ?? [];
      if (name === undefined || file === undefined || !isPart(part.name, name)) throw wrongPart(part.name, name);
      size += await store(part.body, file, hash, maxImageBytes - size);
      filename ||= part.filename ?? '';
      count += 1;
    }
    if (count !== 2)
      throw new ApiError('invalid-argument', 'Invalid body: both parts "metadata" and "rootfs" are required');
    return { main, rootfs, fingerprint: hash.digest('hex'), size, filename };
  } catch (error) {
    await rm(main, { force: true });
    await rm(rootfs, { force: true });
    throw error;
  }
}

function isPart(given: string, expected: string): boolean {
  return given === expected || (expected === 'rootfs' && given === 'rootfs.img');
}

function wrongPart(given: string, expected: string | undefined): ApiError {
  const reason = expected === undefined ? 'no further part is expected' : `part "${expected}" is expected there`;
  return new ApiError('invalid-argument', `Invalid part ${JSON.stringify(given.slice(0, 100))}: ${reason}`);
}

async function store(body: AsyncIterable<Buffer>, file: string, hash: Hash, limit: number): Promise<number> {
  const { bavail, bsize } = await statfs(path.dirname(file));
  const allowed = Math.min(limit, bavail * bsize);
  await using handle = await open(file, 'wx', 0o600);
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > allowed)
      throw new ApiError(
        'out-of-space',
        `The image is larger than the ${formatSize(allowed)} that are allowed or free`,
      );
    hash.update(chunk);
    for (let written = 0; written < chunk.length;)
      written += (await handle.write(chunk, written, chunk.length - written)).bytesWritten;
  }
  if (size === 0) throw new ApiError('invalid-argument', 'The image is empty');
  await handle.sync();
  return size;
}
