import type { ImagePut } from '#api/image.ts';
import { ApiError, notFound } from '#api/error.ts';
import { imageProjectOf, imageToApi, listImages, type ImageRecord } from '../../database/images.ts';
import { buildRequest, startBuild } from '../../images/build/start-build.ts';
import { deleteImage } from '../../images/delete-image.ts';
import { exportImage } from '../../images/export-image.ts';
import { filterImages } from '../../images/filter-images.ts';
import { imagePutSchema, settingsFromHeaders, writablePart } from '../../images/image-settings.ts';
import { importImage, removeFiles } from '../../images/import-image.ts';
import { receiveImage } from '../../images/receive-image.ts';
import { imageByFingerprint } from '../../images/resolve-image.ts';
import { updateImage } from '../../images/update-image.ts';
import type { Services } from '../../services.ts';
import { accepted, sync, type ApiRequest, type Reply, type Route } from '../route.ts';

export const imageRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/images', access: 'open', handle: list },
  { method: 'POST', path: '/1.0/images', access: 'project', body: 'json-or-stream', handle: create },
  { method: 'GET', path: '/1.0/images/:fingerprint', access: 'open', handle: show },
  { method: 'PUT', path: '/1.0/images/:fingerprint', access: 'project', body: imagePutSchema, handle: update },
  { method: 'PATCH', path: '/1.0/images/:fingerprint', access: 'project', body: imagePutSchema, handle: update },
  { method: 'DELETE', path: '/1.0/images/:fingerprint', access: 'project', handle: remove },
  { method: 'GET', path: '/1.0/images/:fingerprint/export', access: 'open', handle: download },
];

/** Strangers, and clients that may not use the project, see its public images only. */
export function seesAll({ caller, project }: Pick<ApiRequest, 'caller' | 'project'>): boolean {
  return caller.trusted && (caller.projects === undefined || caller.projects.includes(project));
}

async function list({ database }: Services, request: ApiRequest): Promise<Reply> {
  const all = await database.read(async reader =>
    listImages(
      reader,
      request.query['all-projects'] === 'true' && request.caller.admin
        ? undefined
        : await imageProjectOf(reader, request.project),
    ),
  );
  const seen = all.filter(image => image.public || seesAll(request));
  const images = filterImages(seen.map(imageToApi), request.query['filter'] ?? '');
  if (Number(request.query['recursion'] ?? 0) > 0) return sync(images);
  const suffix = request.project === 'default' ? '' : `?project=${encodeURIComponent(request.project)}`;
  return sync(images.map(image => `/1.0/images/${image.fingerprint}${suffix}`));
}

async function show({ database }: Services, request: ApiRequest): Promise<Reply> {
  const image = await visibleImage(database, request);
  return sync(imageToApi(image), writablePart(image));
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const { caller, project, headers } = request;
  if (request.body !== undefined) return accepted(startBuild(services, project, buildRequest(request.body), caller));
  const settings = settingsFromHeaders(headers);
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
  return accepted(
    services.operations.run(
      {
        description: 'Importing image',
        project,
        requestor: caller.requestor,
        resources: { images: [`/1.0/images/${fingerprint}`] },
        mayCancel: true,
      },
      async ({ signal }) => {
        await importImage(services, project, received, settings, { signal, requestor: caller.requestor });
        return { fingerprint, size: String(size) };
      },
    ),
  );
}

async function update(services: Services, request: ApiRequest): Promise<Reply> {
  const ifMatch = request.headers['if-match'];
  await updateImage(services, request.project, request.params['fingerprint'] ?? '', request.body as ImagePut, {
    merge: request.method === 'PATCH',
    requestor: request.caller.requestor,
    ...(ifMatch !== undefined && { ifMatch }),
  });
  return sync();
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const image = await visibleImage(services.database, request);
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(
      {
        description: 'Deleting image',
        project: request.project,
        requestor,
        resources: { images: [`/1.0/images/${image.fingerprint}`] },
      },
      ({ signal }) => deleteImage(services, image, { signal, requestor }),
    ),
  );
}

async function download(services: Services, request: ApiRequest): Promise<Reply> {
  const image = await visibleImage(services.database, request);
  const { headers, body } = await exportImage(services.paths, image);
  return { kind: 'raw', headers, body };
}

async function visibleImage(database: Services['database'], request: ApiRequest): Promise<ImageRecord> {
  const prefix = request.params['fingerprint'] ?? '';
  const image = await database.read(async reader =>
    imageByFingerprint(reader, await imageProjectOf(reader, request.project), prefix),
  );
  if (!image.public && !seesAll(request)) throw notFound('Image', prefix);
  return image;
}
