import { ApiError } from '#api/error.ts';
import type { ImageAlias } from '#api/image.ts';
import { isFinal, type Operation } from '#api/operation.ts';
import type { Transport } from '#client/transport.ts';
import type { ImageRecord } from '../database/images.ts';
import type { Services } from '../services.ts';
import { serverProxies } from '../settings/proxies.ts';
import { exportImage } from './export-image.ts';
import { lxdTransport } from './remote/lxd-server.ts';

/** Where an image goes, and what it is to be there. */
export interface ImageTarget {
  /** URL of the server */
  readonly target: string;
  /** PEM that it must present; empty = the system's authorities decide */
  readonly certificate: string;
  /** that the target gave out for this image; empty = it trusts this server */
  readonly secret: string;
  readonly project: string;
  readonly profiles: readonly string[] | undefined;
  readonly aliases: readonly ImageAlias[];
}

/** Sends an image to another server and waits until it has it. `asServer`: the target may let this server in. */
export async function pushImage(
  services: Pick<Services, 'identity' | 'paths' | 'settings'>,
  image: ImageRecord,
  target: ImageTarget,
  { signal, asServer }: { readonly signal: AbortSignal; readonly asServer: boolean },
): Promise<void> {
  const { secret, certificate, project } = target;
  // a server that trusts this one would take it for a client of its own and not look at the secret
  const identity = secret === '' && asServer ? services.identity : undefined;
  const proxies = serverProxies(services.settings);
  const transport = lxdTransport({ server: target.target, certificate, project }, { identity, proxies });
  const { headers, body } = await exportImage(services.paths, image);
  try {
    const { operation } = await transport.call<Operation>('POST', '/1.0/images', {
      upload: body,
      headers: { ...headers, ...descriptionOf(image, target) },
      signal,
    });
    if (!operation) throw new ApiError('unavailable', `${target.target} did not take the image: it is no LXD server`);
    await waitFor(transport, operation, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    body.destroy();
  }
  if (secret !== '') return; // its owner said then which aliases the image gets
  for (const { name, description } of target.aliases)
    await transport.call('POST', '/1.0/images/aliases', {
      body: { name, description, target: image.fingerprint },
      signal,
    });
}

function descriptionOf(image: ImageRecord, { secret, profiles }: ImageTarget): Readonly<Record<string, string>> {
  return {
    'x-lxd-fingerprint': image.fingerprint,
    // a header takes no more than that
    ...(/^[\x20-\x7e]*$/.test(image.filename) && { 'x-lxd-filename': image.filename }),
    'x-lxd-public': String(image.public),
    'x-lxd-properties': new URLSearchParams(image.properties).toString(),
    ...(secret !== '' && { 'x-lxd-secret': secret }),
    ...(profiles && {
      'x-lxd-profiles': new URLSearchParams(profiles.map((name): [string, string] => ['profile', name])).toString(),
    }),
  };
}

/** A stranger may wait by the secret that the answer holds. */
async function waitFor(transport: Transport, operation: Operation, signal: AbortSignal): Promise<void> {
  const secret = operation.metadata?.['secret'];
  const query = { timeout: -1, ...(typeof secret === 'string' && { secret }) };
  for (;;) {
    const path = `/1.0/operations/${encodeURIComponent(operation.id)}/wait`;
    const { metadata } = await transport.call<Operation>('GET', path, { query, signal });
    if (!isFinal(metadata)) continue;
    if (metadata.status === 'Success') return;
    throw new ApiError('failed-precondition', `The other server refused the image: ${metadata.err}`);
  }
}
