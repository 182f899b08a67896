import { ApiError } from '#api/error.ts';
import type { Image } from '#api/image.ts';
import type { InstanceSource } from '#api/instance.ts';
import type { Client } from '../client.ts';
import { localRemote, readConfig, type RemoteConfig, remotesFile } from '../config-file.ts';
import { environmentProxies } from '../proxy.ts';
import type { StreamsImage } from '../simplestreams/streams.ts';
import { multipartReply } from './multipart.ts';
import type { Session } from './session.ts';

/** The images of a remote, which may be a server or only a tree of images on the web. */
export interface ImageRemote {
  list(): Promise<readonly Image[]>;
  /** By alias or by the beginning of a fingerprint; throws "not-found". */
  find(reference: string): Promise<Image>;
  /** What another server needs to fetch an image itself, one entry for each address it may try. */
  sources(image: Image, reference: string): Promise<readonly ImageSource[]>;
  /** The files of an image, to be read one after the other. */
  files(image: Image): AsyncIterable<ImageFile>;
  /** undefined = it serves nothing but images */
  readonly client: Client | undefined;
}

export interface ImageFile {
  /** as the server names it; not to be trusted as a path */
  readonly filename: string;
  /** it is the root file system of an image in two files */
  readonly isRootfs: boolean;
  readonly body: AsyncIterable<Uint8Array>;
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
    files: image => filesFrom(client, image.fingerprint),
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

async function* filesFrom(client: Client, fingerprint: string): AsyncGenerator<ImageFile> {
  const { headers, body } = await client.images.exported(fingerprint);
  const type = headers['content-type'] ?? '';
  if (type.startsWith('multipart/')) {
    for await (const { name, filename, body: part } of multipartReply(type, body))
      yield { filename, isRootfs: name.startsWith('rootfs'), body: part };
    return;
  }
  const filename = /filename="?([^";]+)"?/.exec(headers['content-disposition'] ?? '')?.[1] ?? fingerprint;
  yield { filename, isRootfs: false, body };
}

async function streamsRemote(session: Session, name: string, { addr }: RemoteConfig): Promise<ImageRemote> {
  const { listStreams, streamsBase, streamsImageToApi } = await import('../simplestreams/list-streams.ts');
  const { findStreamsImage } = await import('../simplestreams/streams.ts');
  const { pinnedCertificate } = await import('../remotes.ts');
  const certificate = pinnedCertificate(session.env, name) ?? '';
  const way = { certificate, proxies: environmentProxies(session.env) };
  const base = streamsBase(addr);
  let listed: Promise<readonly StreamsImage[]> | undefined;
  const images = (): Promise<readonly StreamsImage[]> =>
    (listed ??= listStreams(base, { ...way, signal: AbortSignal.timeout(60_000) }));
  return {
    client: undefined,
    list: async () => (await images()).map(streamsImageToApi),
    find: async reference => {
      const { machine } = await import('node:os');
      const image = findStreamsImage(await images(), reference, machine());
      if (!image) throw new ApiError('not-found', `Image "${reference}" not found on "${name}"`);
      return streamsImageToApi(image);
    },
    files: async function* ({ fingerprint }) {
      const { readStreamsFile } = await import('../simplestreams/read-file.ts');
      const image = (await images()).find(listed => listed.fingerprint === fingerprint);
      if (!image) throw new ApiError('not-found', `Image "${fingerprint}" not found on "${name}"`);
      const options = { ...way, signal: new AbortController().signal, onProgress: () => undefined };
      for (const part of ['metadata', 'rootfs'] as const) {
        const filename = image[part].path.split('/').pop() ?? part;
        yield { filename, isRootfs: part === 'rootfs', body: readStreamsFile(base, image[part], options) };
      }
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
