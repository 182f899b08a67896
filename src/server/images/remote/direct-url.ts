import { machine } from 'node:os';
import { ApiError } from '#api/error.ts';
import { receiveImage } from '../receive-image.ts';
import type { ImageServer, ImageServerContext, ServerAddress } from './image-server.ts';
import { watched } from '#client/simplestreams/watched.ts';
import { openWeb, serverUrl, type WebOptions } from '#client/simplestreams/web.ts';

/** What the URL of an image stands for: its file and the hash that the file has to have. */
export interface DirectImage {
  readonly url: string;
  readonly fingerprint: string;
}

/** Asks a URL which image it is, by the headers that LXD's clients publish with. */
export async function askUrl(
  text: string,
  { proxies, signal }: Pick<WebOptions, 'proxies' | 'signal'>,
): Promise<DirectImage> {
  const url = serverUrl(text, { plain: true });
  const headers = {
    'lxd-server-architectures': machine(),
    'lxd-server-version': '5.0',
  };
  const answer = await openWeb(url, { method: 'HEAD', certificate: '', proxies, headers, signal });
  answer.destroy();
  const { 'lxd-image-hash': hash, 'lxd-image-url': location } = answer.headers;
  if (typeof hash !== 'string' || hash === '') throw missing('LXD-Image-Hash');
  if (typeof location !== 'string' || location === '') throw missing('LXD-Image-URL');
  if (!/^[0-9a-f]{64}$/.test(hash))
    throw new ApiError('invalid-argument', 'Invalid "LXD-Image-Hash" header: must be a SHA-256 in lower-case hex');
  return { url: serverUrl(location, { plain: true }).href, fingerprint: hash };
}

/** One image at one URL; its name is the fingerprint. */
export function directUrl({ server, certificate }: ServerAddress, { proxies }: ImageServerContext): ImageServer {
  const url = serverUrl(server, { plain: true });
  return {
    find: async name => {
      if (!/^[0-9a-f]{64}$/.test(name))
        throw new ApiError('invalid-argument', 'Invalid "source.fingerprint": must be a SHA-256 in lower-case hex');
      return { fingerprint: name, filename: '', properties: undefined, expiresAt: undefined };
    },
    download: async (_image, paths, options) => {
      const answer = await openWeb(url, { certificate, proxies, signal: options.signal });
      const total = Number(answer.headers['content-length'] ?? 0) || 0;
      return await receiveImage(paths, answer.headers['content-type'] ?? '', watched(answer, { ...options, total }));
    },
  };
}

function missing(header: string): ApiError {
  return new ApiError('invalid-argument', `Missing ${header} header`);
}
