import { randomBytes } from 'node:crypto';
import { zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { ImageAlias } from '#api/image.ts';
import type { Operation } from '#api/operation.ts';
import { imagePath, takeImageToken } from '../../images/image-token.ts';
import { checkedSettings, settingsFromHeaders } from '../../images/image-settings.ts';
import { importImage, removeFiles, type ImageSettings } from '../../images/import-image.ts';
import { receiveImage } from '../../images/receive-image.ts';
import type { Services } from '../../services.ts';
import { authorize } from '../access.ts';
import { accepted, type ApiRequest, type Reply } from '../route.ts';

/** POST /1.0/images with an image as its body: by a client, or with a secret by another server that pushes one. */
export async function upload(services: Services, request: ApiRequest): Promise<Reply> {
  const { caller, headers } = request;
  const token = tokenOf(services, request);
  if (!token) authorize({ access: 'project' }, request);
  const project = token ? services.operations.projectOf(token.id) : request.project;
  const settings = token ? grantedSettings(settingsFromHeaders(headers), token) : settingsFromHeaders(headers);
  // a reader that stops must not close the connection, or the client never sees why
  const body = request.stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const received = await receiveImage(services.paths, headers['content-type'] ?? '', body);
  const expected = headers['x-lxd-fingerprint'];
  if (expected !== undefined && expected !== '' && expected !== received.fingerprint) {
    await removeFiles(received);
    throw new ApiError(
      'invalid-argument',
      `The image has the fingerprint "${received.fingerprint}", not "${expected.slice(0, 64)}"`,
    );
  }
  const { fingerprint, size } = received;
  const { requestor } = caller;
  return accepted(
    services.operations.run(
      {
        description: 'Downloading image',
        project,
        requestor,
        resources: { images: [imagePath(fingerprint)] },
        mayCancel: true,
        // the server that pushes is a stranger here and waits by this secret
        ...(token && { metadata: { secret: randomBytes(32).toString('hex') } }),
      },
      async ({ signal }) => {
        await importImage(services, project, received, settings, { signal, requestor });
        return { fingerprint, size: String(size) };
      },
    ),
  );
}

/** Uses the token up; throws "permission-denied" when the request has a secret that opens nothing. */
function tokenOf(services: Services, { headers }: ApiRequest): Operation | undefined {
  const secret = headers['x-lxd-secret'] ?? '';
  if (secret === '') return undefined;
  const token = takeImageToken(services, headers['x-lxd-fingerprint'] ?? '', secret);
  if (!token) throw new ApiError('permission-denied', 'Not authorized');
  return token;
}

/** What the owner of the token asked for goes before what the sender says. */
function grantedSettings(sent: ImageSettings, { metadata }: Operation): ImageSettings {
  const grant = (metadata ?? {}) as {
    readonly aliases?: readonly ImageAlias[];
    readonly expires_at?: string | null;
    readonly properties?: Readonly<Record<string, string>>;
    readonly public?: boolean;
    readonly profiles?: readonly string[] | null;
  };
  const expiresAt = grant.expires_at ?? undefined;
  return checkedSettings({
    ...sent,
    public: grant.public ?? false,
    aliases: grant.aliases ?? [],
    properties: { ...sent.properties, ...grant.properties },
    profiles: grant.profiles ?? sent.profiles,
    expiresAt: expiresAt === zeroTime ? undefined : expiresAt,
  });
}
