import { ApiError } from '#api/error.ts';
import { listStreams, streamsBase } from '#client/simplestreams/list-streams.ts';
import { readStreamsFile } from '#client/simplestreams/read-file.ts';
import { findStreamsImage, type StreamsImage } from '#client/simplestreams/streams.ts';
import type { WebOptions } from '#client/simplestreams/web.ts';
import { receiveParts, type ImagePart } from '../receive-image.ts';
import type { DownloadOptions, ImageServer, ImageServerContext, RemoteImage, ServerAddress } from './image-server.ts';

const listingMs = 60_000;

/** A tree of images on a web server, as distributions publish them. */
export function simplestreamsServer(
  { server, certificate }: ServerAddress,
  { architecture, proxies }: ImageServerContext,
): ImageServer {
  const base = streamsBase(server);
  const way = { certificate, proxies };
  const found = new Map<string, StreamsImage>();
  return {
    find: async (name, signal) => {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(listingMs)]);
      const image = findStreamsImage(await listStreams(base, { ...way, signal: limited }), name, architecture);
      if (!image) throw new ApiError('not-found', `Image ${JSON.stringify(name)} not found on ${base.href}`);
      found.set(image.fingerprint, image);
      return remoteImage(image);
    },
    download: async ({ fingerprint }, paths, options) => {
      const image = found.get(fingerprint);
      if (!image) throw new Error('The image was not looked up');
      return await receiveParts(paths, parts(base, way, image, options));
    },
  };
}

function remoteImage({ fingerprint, properties, expiresAt, metadata }: StreamsImage): RemoteImage {
  return { fingerprint, properties, expiresAt, filename: metadata.path.split('/').pop() ?? '' };
}

async function* parts(
  base: URL,
  way: Pick<WebOptions, 'certificate' | 'proxies'>,
  image: StreamsImage,
  options: DownloadOptions,
): AsyncGenerator<ImagePart> {
  for (const name of ['metadata', 'rootfs'] as const)
    yield {
      name,
      filename: undefined,
      body: readStreamsFile(base, image[name], { ...options, ...way, prefix: `${name}: ` }),
    };
}
