import { createHash } from 'node:crypto';
import { ApiError } from '#api/error.ts';
import { listStreams, streamsBase } from '#client/simplestreams/list-streams.ts';
import { findStreamsImage, type StreamsFile, type StreamsImage } from '#client/simplestreams/streams.ts';
import { openWeb } from '#client/simplestreams/web.ts';
import { receiveParts, type ImagePart } from '../receive-image.ts';
import type { DownloadOptions, ImageServer, ImageServerContext, RemoteImage, ServerAddress } from './image-server.ts';
import { watched } from './watched.ts';

const listingMs = 60_000;

/** A tree of images on a web server, as distributions publish them. */
export function simplestreamsServer(
  { server, certificate }: ServerAddress,
  { architecture }: ImageServerContext,
): ImageServer {
  const base = streamsBase(server);
  const found = new Map<string, StreamsImage>();
  return {
    find: async (name, signal) => {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(listingMs)]);
      const image = findStreamsImage(await listStreams(base, { certificate, signal: limited }), name, architecture);
      if (!image) throw new ApiError('not-found', `Image ${JSON.stringify(name)} not found on ${base.href}`);
      found.set(image.fingerprint, image);
      return remoteImage(image);
    },
    download: async ({ fingerprint }, paths, options) => {
      const image = found.get(fingerprint);
      if (!image) throw new Error('The image was not looked up');
      return await receiveParts(paths, parts(base, certificate, image, options));
    },
  };
}

function remoteImage({ fingerprint, properties, expiresAt, metadata }: StreamsImage): RemoteImage {
  return { fingerprint, properties, expiresAt, filename: metadata.path.split('/').pop() ?? '' };
}

async function* parts(
  base: URL,
  certificate: string,
  image: StreamsImage,
  options: DownloadOptions,
): AsyncGenerator<ImagePart> {
  for (const name of ['metadata', 'rootfs'] as const)
    yield {
      name,
      filename: undefined,
      body: file(new URL(image[name].path, base), image[name], certificate, { ...options, prefix: `${name}: ` }),
    };
}

/** The bytes of a file, which must be as many as the listing says and have its hash. */
async function* file(
  url: URL,
  { size, sha256 }: StreamsFile,
  certificate: string,
  options: DownloadOptions & { readonly prefix: string },
): AsyncGenerator<Buffer> {
  const answer = await openWeb(url, { certificate, signal: options.signal });
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
