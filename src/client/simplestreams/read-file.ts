import { createHash } from 'node:crypto';
import { ApiError } from '#api/error.ts';
import type { StreamsFile } from './streams.ts';
import { watched, type WatchOptions } from './watched.ts';
import { openWeb, type WebOptions } from './web.ts';

/** The bytes of a file, which must be as many as the listing says and have its hash. */
export async function* readStreamsFile(
  base: URL,
  { path, size, sha256 }: StreamsFile,
  options: Omit<WatchOptions, 'total'> & Pick<WebOptions, 'certificate' | 'proxies'>,
): AsyncGenerator<Buffer> {
  const url = new URL(path, base);
  const answer = await openWeb(url, options);
  const hash = createHash('sha256');
  let received = 0;
  for await (const chunk of watched(answer, { ...options, total: size })) {
    received += chunk.length;
    if (received > size) throw wrongFile(url, 'is longer than the server lists');
    hash.update(chunk);
    yield chunk;
  }
  if (received !== size) throw wrongFile(url, 'is shorter than the server lists');
  if (hash.digest('hex') !== sha256) throw wrongFile(url, 'has another hash than the server lists');
}

function wrongFile(url: URL, reason: string): ApiError {
  return new ApiError('invalid-argument', `Refused the image: ${url.href} ${reason}`);
}
