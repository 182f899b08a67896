import { createWriteStream } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { type Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import type { StatePaths } from '../paths.ts';
import { temporaryFile } from './write-archive.ts';

/** Writes an upload to a file that the caller removes; nothing is left when it fails. */
export async function receiveUpload(paths: StatePaths, stream: Readable): Promise<string> {
  // a reader that stops must not close the connection, or the client never sees why
  const body = stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const file = await temporaryFile(paths);
  const { bavail, bsize } = await statfs(paths.backups);
  const limit = bavail * bsize;
  let size = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
      size += chunk.length;
      const full =
        size > limit && new ApiError('out-of-space', `The backup is larger than the ${formatSize(limit)} free`);
      done(full || null, chunk);
    },
  });
  try {
    await pipeline(body, count, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
    if (size === 0) throw new ApiError('invalid-argument', 'The backup is empty');
    return file;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
