import { zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { Image } from '#api/image.ts';
import { hasControlCharacters } from '#base/names.ts';
import { proxyFor } from '#client/proxy.ts';
import { Transport } from '#client/transport.ts';
import { checkedExpiry, checkProperties } from '../image-settings.ts';
import { receiveImage } from '../receive-image.ts';
import type { ImageServer, ImageServerContext, RemoteImage, ServerAddress } from './image-server.ts';
import { watched } from '#client/simplestreams/watched.ts';
import { serverUrl } from '#client/simplestreams/web.ts';

const requestMs = 30_000;

/** Another server with LXD's API: its public images, the one that a secret opens, or all if it trusts this server. */
export function lxdServer(address: ServerAddress, context: ImageServerContext): ImageServer {
  const transport = lxdTransport(address, context);
  const query = address.secret === '' ? {} : { secret: address.secret };
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(requestMs)]);
    try {
      return (await transport.call('GET', path, { query, signal: limited })).metadata;
    } catch (error) {
      signal.throwIfAborted();
      if (ApiError.is(error)) throw error;
      throw new ApiError('unavailable', `Cannot reach ${address.server}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  return {
    find: async (name, signal) => {
      const alias = await orNotFound(get(`/1.0/images/aliases/${encodeURIComponent(name)}`, signal));
      const target = (alias as { target?: unknown } | undefined)?.target ?? name;
      if (typeof target !== 'string' || !/^[0-9a-f]{1,64}$/.test(target)) throw notThere(name, address);
      const image = await orNotFound(get(`/1.0/images/${target}`, signal));
      if (image === undefined) throw notThere(name, address);
      return checkedImage(image, target);
    },
    download: async ({ fingerprint }, paths, options) => {
      const answer = await transport.download(`/1.0/images/${fingerprint}/export`, { query, signal: options.signal });
      const total = Number(answer.headers['content-length'] ?? 0) || 0;
      return await receiveImage(
        paths,
        answer.headers['content-type'] ?? '',
        watched(answer.body, { ...options, total }),
      );
    },
  };
}

/** A connection to another server; with an identity, one that trusts it lets this server in. */
export function lxdTransport(
  { server, certificate, project }: Pick<ServerAddress, 'server' | 'certificate' | 'project'>,
  { identity, proxies }: Pick<ImageServerContext, 'identity' | 'proxies'>,
): Transport {
  const url = serverUrl(server);
  if (url.protocol !== 'https:') throw new ApiError('invalid-argument', 'Invalid "source.server": must be https://');
  return new Transport(
    {
      kind: 'tls',
      url: `https://${url.hostname}:${url.port || '443'}`,
      serverCertificate: certificate === '' ? undefined : certificate,
      ...(identity && { clientCertificate: identity.certificate, clientKey: identity.key }),
      proxy: proxyFor(url, proxies),
    },
    project || undefined,
  );
}

function checkedImage(value: unknown, wanted: string): RemoteImage {
  const image = value as Partial<Image> | null;
  const { fingerprint, filename, properties, type, expires_at } = image ?? {};
  if (typeof fingerprint !== 'string' || !/^[0-9a-f]{64}$/.test(fingerprint) || !fingerprint.startsWith(wanted))
    throw new ApiError('invalid-argument', 'The image server names another image than the one that was asked for');
  if (type !== undefined && type !== 'container')
    throw new ApiError('invalid-argument', 'The image is one of a virtual machine; only containers are supported');
  const texts = Object.entries(properties ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const checked = Object.fromEntries(texts);
  checkProperties(checked);
  const expires = typeof expires_at === 'string' ? checkedExpiry(expires_at) : zeroTime;
  const named = typeof filename === 'string' && filename.length <= 255 && !/\//.test(filename);
  return {
    fingerprint,
    filename: named && !hasControlCharacters(filename) ? filename : '',
    properties: checked,
    expiresAt: expires,
  };
}

async function orNotFound(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (ApiError.is(error, 'not-found') || ApiError.is(error, 'permission-denied')) return undefined;
    throw error;
  }
}

function notThere(name: string, { server }: ServerAddress): ApiError {
  return new ApiError('not-found', `Image ${JSON.stringify(name.slice(0, 255))} not found on ${server}`);
}
