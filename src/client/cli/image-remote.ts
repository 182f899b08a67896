import { ApiError } from '#api/error.ts';
import type { Image } from '#api/image.ts';
import type { InstanceSource } from '#api/instance.ts';
import type { Client } from '../client.ts';
import { localRemote, readConfig, type RemoteConfig, remotesFile } from '../config-file.ts';
import type { StreamsImage } from '../simplestreams/streams.ts';
import type { Session } from './session.ts';

/** The images of a remote, which may be a server or only a tree of images on the web. */
export interface ImageRemote {
  list(): Promise<readonly Image[]>;
  /** By alias or by the beginning of a fingerprint; throws "not-found". */
  find(reference: string): Promise<Image>;
  /** What another server needs to fetch an image itself, one entry for each address it may try. */
  sources(image: Image, reference: string): Promise<readonly ImageSource[]>;
  /** undefined = it serves nothing but images */
  readonly client: Client | undefined;
}

/** Source of an image or instance, without its type. */
export type ImageSource = Pick<
  InstanceSource,
  'mode' | 'server' | 'protocol' | 'certificate' | 'alias' | 'fingerprint' | 'secret' | 'project'
>;

/** The images of a remote; of the default one when undefined. */
export async function imageRemote(session: Session, remote: string | undefined): Promise<ImageRemote> {
  const config = await readConfig(remotesFile(session.env));
  const name = remote ?? config['default-remote'];
  const found = config.remotes[name];
  if (found?.protocol === 'simplestreams' && !session.global.forceLocal)
    return await streamsRemote(session, name, found);
  return serverRemote(await session.client(remote), name);
}

function serverRemote(client: Client, name: string): ImageRemote {
  return {
    client,
    list: () => client.images.list(),
    find: async reference => await client.images.get(await client.images.resolve(reference)),
    sources: async (image, reference) => {
      const { project, target } = client.transport;
      const { environment } = (await client.server.get()).value;
      const urls =
        target.kind === 'tls' ? [target.url] : (environment?.addresses ?? []).map(address => `https://${address}`);
      if (urls.length === 0)
        throw new ApiError(
          'failed-precondition',
          `Cannot fetch images from "${name}": it does not listen on the network. Set core.https_address there, or use "--mode push"`,
        );
      const isFingerprint = image.fingerprint.startsWith(reference);
      const named = image.public && !isFingerprint ? { alias: reference } : { fingerprint: image.fingerprint };
      return await Promise.all(
        urls.map(async server => ({
          mode: 'pull' as const,
          server,
          protocol: 'lxd',
          certificate: environment?.certificate ?? '',
          ...named,
          ...(project !== undefined && { project }),
          ...(!image.public && { secret: await client.images.secret(image.fingerprint) }),
        })),
      );
    },
  };
}

async function streamsRemote(session: Session, name: string, { addr }: RemoteConfig): Promise<ImageRemote> {
  const { listStreams, streamsBase, streamsImageToApi } = await import('../simplestreams/list-streams.ts');
  const { findStreamsImage } = await import('../simplestreams/streams.ts');
  const { pinnedCertificate } = await import('../remotes.ts');
  const certificate = pinnedCertificate(session.env, name) ?? '';
  let listed: Promise<readonly StreamsImage[]> | undefined;
  const images = (): Promise<readonly StreamsImage[]> =>
    (listed ??= listStreams(streamsBase(addr), { certificate, signal: AbortSignal.timeout(60_000) }));
  return {
    client: undefined,
    list: async () => (await images()).map(streamsImageToApi),
    find: async reference => {
      const { machine } = await import('node:os');
      const image = findStreamsImage(await images(), reference, machine());
      if (!image) throw new ApiError('not-found', `Image "${reference}" not found on "${name}"`);
      return streamsImageToApi(image);
    },
    sources: async (image, reference) => {
      const named = image.fingerprint.startsWith(reference) ? { fingerprint: image.fingerprint } : { alias: reference };
      return await Promise.resolve([{ mode: 'pull', server: addr, protocol: 'simplestreams', certificate, ...named }]);
    },
  };
}

/** True when both words name the same remote. */
export async function isSameRemote(
  session: Session,
  one: string | undefined,
  other: string | undefined,
): Promise<boolean> {
  if (session.global.forceLocal) return true;
  const fallback = (await readConfig(remotesFile(session.env)))['default-remote'];
  return (one ?? fallback ?? localRemote) === (other ?? fallback ?? localRemote);
}
