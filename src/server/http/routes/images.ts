import type { ImagePut } from '#api/image.ts';
import { notFound } from '#api/error.ts';
import { imageProjectOf, imageToApi, listImages, type ImageRecord } from '../../database/images.ts';
import { emitLifecycle } from '../../events/event-bus.ts';
import { deleteImage } from '../../images/delete-image.ts';
import { exportImage } from '../../images/export-image.ts';
import { filterImages } from '../../images/filter-images.ts';
import { aliasesOf, objectOf, profilesOf, textOf } from '../../images/image-body.ts';
import { imagePutSchema, writablePart } from '../../images/image-settings.ts';
import { findImageToken, imagePath, issueImageToken, spendImageToken } from '../../images/image-token.ts';
import { pushImage } from '../../images/push-image.ts';
import { refreshImage } from '../../images/refresh-image.ts';
import { imageByFingerprint } from '../../images/resolve-image.ts';
import { updateImage } from '../../images/update-image.ts';
import type { Services } from '../../services.ts';
import { authorize } from '../access.ts';
import { wantsWhole } from '../request.ts';
import { accepted, sync, type ApiRequest, type Reply, type Route } from '../route.ts';
import { createFromSource } from './image-create.ts';
import { upload } from './image-upload.ts';

const exportSchema = {
  type: 'object',
  required: ['target'],
  properties: { target: { type: 'string', maxLength: 4096 } },
};

export const imageRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/images', access: 'open', handle: list },
  // with the secret of a token, another server may send an image
  { method: 'POST', path: '/1.0/images', access: 'open', body: 'json-or-stream', handle: create },
  { method: 'GET', path: '/1.0/images/:fingerprint', access: 'open', handle: show },
  { method: 'PUT', path: '/1.0/images/:fingerprint', access: 'project', body: imagePutSchema, handle: update },
  { method: 'PATCH', path: '/1.0/images/:fingerprint', access: 'project', body: imagePutSchema, handle: update },
  { method: 'DELETE', path: '/1.0/images/:fingerprint', access: 'project', handle: remove },
  { method: 'GET', path: '/1.0/images/:fingerprint/export', access: 'open', handle: download },
  { method: 'POST', path: '/1.0/images/:fingerprint/export', access: 'project', body: exportSchema, handle: push },
  { method: 'POST', path: '/1.0/images/:fingerprint/refresh', access: 'project', handle: refresh },
  { method: 'POST', path: '/1.0/images/:fingerprint/secret', access: 'project', handle: makeSecret },
];

/** Strangers, and clients that may not use the project, see its public images only. */
export function seesAll({ caller, project }: Pick<ApiRequest, 'caller' | 'project'>): boolean {
  return caller.trusted && (caller.projects === undefined || caller.projects.includes(project));
}

async function list({ database }: Services, request: ApiRequest): Promise<Reply> {
  const all = await database.read(async reader => listImages(reader, await imageProjectOf(reader, request.project)));
  const seen = all.filter(image => image.public || seesAll(request));
  const images = filterImages(seen.map(imageToApi), request.query['filter'] ?? '');
  if (wantsWhole(request.query)) return sync(images);
  const suffix = request.project === 'default' ? '' : `?project=${encodeURIComponent(request.project)}`;
  return sync(images.map(image => `/1.0/images/${image.fingerprint}${suffix}`));
}

async function show(services: Services, request: ApiRequest): Promise<Reply> {
  const image = await visibleImage(services, request);
  return sync(imageToApi(image), writablePart(image));
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  if (request.body === undefined) return await upload(services, request);
  authorize({ access: 'project' }, request);
  return await createFromSource(services, request);
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
  const image = await visibleImage(services, request);
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
  const image = await visibleImage(services, request);
  const token = findImageToken(services, image.fingerprint, request.query['secret'] ?? '');
  if (token && request.method === 'GET') spendImageToken(services, token);
  const { headers, body } = await exportImage(services.paths, image);
  if (request.method === 'GET') tell(services, 'image-retrieved', image, request);
  return { kind: 'raw', headers, body };
}

async function push(services: Services, request: ApiRequest): Promise<Reply> {
  const { project, caller } = request;
  const image = await visibleImage(services, request);
  const body = objectOf(request.body, 'body');
  const target = {
    target: textOf(body['target'], 'target'),
    certificate: textOf(body['certificate'] ?? '', 'certificate'),
    secret: textOf(body['secret'] ?? '', 'secret'),
    project: textOf(body['project'] ?? '', 'project'),
    profiles: profilesOf(body),
    aliases: aliasesOf(body),
  };
  const resources = { images: [imagePath(image.fingerprint)] };
  return accepted(
    services.operations.run(
      { description: 'Exporting image', project, requestor: caller.requestor, resources, mayCancel: true },
      ({ signal }) => pushImage(services, image, target, { signal, asServer: caller.admin }),
    ),
  );
}

async function refresh(services: Services, request: ApiRequest): Promise<Reply> {
  const { project, caller } = request;
  const image = await visibleImage(services, request);
  return accepted(
    services.operations.run(
      { description: 'Refreshing image', project, requestor: caller.requestor, mayCancel: true },
      async operation => {
        const onProgress = (text: string): void => operation.update({ download_progress: text });
        const context = {
          signal: operation.signal,
          asServer: caller.admin,
          requestor: caller.requestor,
          onProgress,
        };
        return { refreshed: await refreshImage(services, image, context) };
      },
    ),
  );
}

async function makeSecret(services: Services, request: ApiRequest): Promise<Reply> {
  const image = await visibleImage(services, request);
  const token = issueImageToken(services, image, request.caller.requestor);
  tell(services, 'image-secret-created', image, request);
  return accepted(token);
}

function tell({ events }: Services, action: string, image: ImageRecord, { caller }: ApiRequest): void {
  const { project, fingerprint } = image;
  emitLifecycle(events, action, imagePath(fingerprint), { project, requestor: caller.requestor });
}

/** The image of the request, if its sender may know of it: all that a secret opens, and public ones. */
async function visibleImage(services: Services, request: ApiRequest): Promise<ImageRecord> {
  const prefix = request.params['fingerprint'] ?? '';
  const image = await services.database.read(async reader =>
    imageByFingerprint(reader, await imageProjectOf(reader, request.project), prefix),
  );
  if (image.public || seesAll(request)) return image;
  if (findImageToken(services, image.fingerprint, request.query['secret'] ?? '')) return image;
  throw notFound('Image', prefix);
}
