import { X509Certificate } from 'node:crypto';
import { invalid } from '#api/error.ts';
import { imageProtocols, type ImageProtocol, imageProjectOf } from '../../database/images.ts';
import { getInstance } from '../../database/instances.ts';
import { buildRequest, startBuild } from '../../images/build/start-build.ts';
import { parseCompression } from '../../images/compression.ts';
import { downloadImage } from '../../images/download-image.ts';
import { objectOf, settingsFromBody, sourceMembers } from '../../images/image-body.ts';
import { imageSetting } from '../../images/image-config.ts';
import { issueImageToken } from '../../images/image-token.ts';
import type { ImageSettings } from '../../images/import-image.ts';
import { askUrl } from '../../images/remote/direct-url.ts';
import type { ServerAddress } from '../../images/remote/image-server.ts';
import { publishInstance } from '../../instances/publish-instance.ts';
import type { OperationContext } from '../../operations/operation.ts';
import type { Services } from '../../services.ts';
import { serverProxies } from '../../settings/proxies.ts';
import { accepted, type ApiRequest, type Reply } from '../route.ts';

type Members = ReturnType<typeof sourceMembers>;

/** POST /1.0/images with a JSON body: an image from anywhere but the request itself. */
export async function createFromSource(services: Services, request: ApiRequest): Promise<Reply> {
  const body = objectOf(request.body, 'body');
  const source = sourceMembers(body);
  // LXD's clients give no type then
  if (source('mode') === 'push') return awaitPush(services, request, body, source);
  switch (source('type') ?? '') {
    case 'build':
      return accepted(startBuild(services, request.project, buildRequest(body), request.caller));
    case 'image':
      return accepted(startDownload(services, request, addressOf(source), nameOf(source), settingsFromBody(body)));
    case 'url':
      return accepted(startUrl(services, request, source, settingsFromBody(body)));
    case 'instance':
    case 'container':
    case 'snapshot':
      return await publish(services, request, body, source);
    default:
      throw invalid('source.type', 'must be image, url, instance, snapshot or build');
  }
}

/** The server that a source names. */
export function addressOf(source: Members): ServerAddress {
  const protocol = source('protocol') || 'lxd';
  if (protocol === 'direct' || !imageProtocols.includes(protocol as ImageProtocol))
    throw invalid('source.protocol', `Unsupported protocol: ${protocol.slice(0, 50)}`);
  const server = source('server') ?? '';
  if (server === '') throw invalid('source.server', 'is required');
  const mode = source('mode') || 'pull';
  if (mode !== 'pull') throw invalid('source.mode', 'must be pull or push');
  if (source('image_type') === 'virtual-machine')
    throw invalid('source.image_type', 'virtual machines are not supported, only containers');
  return {
    server: server.replace(/\/+$/, ''),
    protocol: protocol as ImageProtocol,
    certificate: checkedCertificate(source('certificate') ?? ''),
    secret: source('secret') ?? '',
    project: source('project') ?? '',
  };
}

function checkedCertificate(pem: string): string {
  if (pem === '') return pem;
  try {
    return new X509Certificate(pem).toString();
  } catch {
    throw invalid('source.certificate', 'must be a certificate in PEM');
  }
}

export function nameOf(source: Members): string {
  const name = source('fingerprint') || source('alias') || '';
  if (name === '') throw invalid('source', 'must specify one of alias or fingerprint for init from image');
  return name;
}

/** An operation that brings an image; its metadata says which one in the end. */
function run(
  services: Services,
  { project, caller }: ApiRequest,
  work: (operation: OperationContext) => Promise<{ readonly fingerprint: string; readonly size: number }>,
): ReturnType<Services['operations']['run']> {
  return services.operations.run(
    { description: 'Downloading image', project, requestor: caller.requestor, mayCancel: true },
    async operation => {
      const { fingerprint, size } = await work(operation);
      return { fingerprint, size: String(size) };
    },
  );
}

function startDownload(
  services: Services,
  request: ApiRequest,
  address: ServerAddress,
  name: string,
  settings: ImageSettings,
): ReturnType<typeof run> {
  return run(services, request, operation =>
    downloadImage(services, request.project, { address, name, settings }, contextOf(request, operation)),
  );
}

function startUrl(
  services: Services,
  request: ApiRequest,
  source: Members,
  settings: ImageSettings,
): ReturnType<typeof run> {
  const url = source('url') ?? '';
  if (url === '') throw invalid('source.url', 'Missing URL');
  return run(services, request, async operation => {
    const { url: server, fingerprint } = await askUrl(url, {
      proxies: serverProxies(services.settings),
      signal: operation.signal,
    });
    const address = { server, protocol: 'direct', certificate: '', secret: '', project: '' } as const;
    const wanted = { address, name: fingerprint, settings };
    return await downloadImage(services, request.project, wanted, contextOf(request, operation));
  });
}

/** What an image that another server will send is to be like; the answer holds the secret for that server. */
function awaitPush(
  services: Services,
  { project, caller }: ApiRequest,
  body: Readonly<Record<string, unknown>>,
  source: Members,
): Reply {
  const fingerprint = source('fingerprint') ?? '';
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw invalid('source.fingerprint', 'must be that of the image to come');
  const settings = settingsFromBody(body);
  const grant = {
    aliases: settings.aliases,
    expires_at: settings.expiresAt ?? null,
    properties: settings.properties,
    public: settings.public,
    profiles: settings.profiles ?? null,
  };
  return accepted(issueImageToken(services, { project, fingerprint }, caller.requestor, grant));
}

async function publish(
  services: Services,
  request: ApiRequest,
  body: Readonly<Record<string, unknown>>,
  source: Members,
): Promise<Reply> {
  const { project } = request;
  const name = source('name') ?? '';
  if (name === '') throw invalid('source.name', 'No source provided');
  const [instance = '', snapshot, ...more] = name.split('/');
  const wantsSnapshot = source('type') === 'snapshot';
  if (wantsSnapshot && (snapshot === undefined || more.length > 0)) throw invalid('source.name', 'Not a snapshot');
  if (!wantsSnapshot && snapshot !== undefined) throw invalid('source.name', 'This is a snapshot');
  const configured = await services.database.read(async reader => {
    await getInstance(reader, project, instance);
    return await imageSetting(services, reader, await imageProjectOf(reader, project), 'images.compression_algorithm');
  });
  const asked = body['compression_algorithm'] ?? '';
  if (typeof asked !== 'string') throw invalid('compression_algorithm', 'must be a text');
  const options = {
    settings: settingsFromBody(body),
    properties:
      body['properties'] === undefined || body['properties'] === null ? undefined : settingsFromBody(body).properties,
    compression: parseCompression(asked || configured || 'gzip'),
  };
  return accepted(
    run(services, request, operation =>
      publishInstance(services, project, { instance, snapshot }, options, {
        signal: operation.signal,
        requestor: request.caller.requestor,
        onProgress: text => operation.update({ create_image_from_container_pack_progress: text }),
      }),
    ),
  );
}

function contextOf(request: ApiRequest, operation: OperationContext): Parameters<typeof downloadImage>[3] {
  return {
    signal: operation.signal,
    asServer: request.caller.admin,
    requestor: request.caller.requestor,
    onProgress: text => operation.update({ download_progress: text }),
  };
}
