import { ApiError, invalid } from '#api/error.ts';
import type { StorageVolume, StorageVolumePost, StorageVolumePut, StorageVolumesPost } from '#api/storage.ts';
import { parseFilter } from '#server/instances/filter.ts';
import type { Services } from '#server/services.ts';
import { checkNewVolume, createVolume, type NewCustomVolume } from '#server/volumes/create-volume.ts';
import { deleteVolume } from '#server/volumes/delete-volume.ts';
import { listVolumes, readVolume, recordAt, volumeState } from '#server/volumes/list-volumes.ts';
import { moveVolume, renameVolume } from '#server/volumes/move-volume.ts';
import { refreshVolume } from '#server/volumes/refresh-volume.ts';
import { restoreVolume } from '#server/volumes/restore-volume.ts';
import { changeInstanceVolume, changeVolume } from '#server/volumes/update-volume.ts';
import { volumePath } from '#server/volumes/volume.ts';
import { assertEtag } from '../../etag.ts';
import { wantsWhole } from '../request.ts';
import { keptUntilFor } from '../undoable.ts';
import { accepted, type ApiRequest, created, type Reply, type Route, sync } from '../route.ts';
import { importVolumeBackup } from './volume-backups.ts';
import { receiveVolumeHere, sendVolumeAway } from './volume-migration.ts';
import {
  callersProject,
  customAt,
  namedVolume,
  typeOf,
  volumeOperation,
  volumePost,
  volumePut,
  volumesPost,
} from './volume-request.ts';

const all = '/1.0/storage-pools/:pool/volumes';
const ofType = `${all}/:type`;
const one = `${ofType}/:volume`;

export const storageVolumeRoutes: readonly Route[] = [
  { method: 'GET', path: all, access: 'project', allProjects: true, handle: list },
  { method: 'POST', path: all, access: 'project', body: volumesPost, upload: importVolumeBackup, handle: create },
  { method: 'GET', path: ofType, access: 'project', allProjects: true, handle: list },
  { method: 'POST', path: ofType, access: 'project', body: volumesPost, upload: importVolumeBackup, handle: create },
  { method: 'GET', path: one, access: 'project', handle: read },
  { method: 'PUT', path: one, access: 'project', body: volumePut, handle: put },
  { method: 'PATCH', path: one, access: 'project', body: volumePut, handle: put },
  { method: 'POST', path: one, access: 'project', body: volumePost, handle: post },
  { method: 'DELETE', path: one, access: 'project', handle: remove },
  { method: 'GET', path: `${one}/state`, access: 'project', handle: state },
];

async function list(services: Services, request: ApiRequest): Promise<Reply> {
  const { query, caller, params } = request;
  const type = params['type'] === undefined ? undefined : typeOf(request);
  const every = query['all-projects'] === 'true' || query['all-projects'] === '1';
  const filter = parseFilter(query['filter'] ?? '');
  const pool = params['pool'] ?? '';
  const found = await listVolumes(services, pool, every ? undefined : request.project);
  const volumes = found.filter(
    volume =>
      (type === undefined || volume.type === type) &&
      (!every || !caller.projects || caller.projects.includes(volume.project)) &&
      filter(volume),
  );
  return sync(wantsWhole(query) ? volumes : volumes.map(volume => urlOf(pool, volume)));
}

async function read(services: Services, request: ApiRequest): Promise<Reply> {
  const volume = await readVolume(services, namedVolume(request));
  return sync(volume, writable(volume));
}

async function state(services: Services, request: ApiRequest): Promise<Reply> {
  return sync(await volumeState(services, namedVolume(request)));
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as StorageVolumesPost;
  const type = request.params['type'] ?? body.type ?? 'custom';
  if (type !== 'custom')
    throw new ApiError('invalid-argument', `Currently not allowed to create storage volumes of type "${type}"`);
  if ((body.content_type ?? '') !== '' && body.content_type !== 'filesystem')
    throw new ApiError(
      'invalid-argument',
      `Invalid "content_type": volumes of content type "${body.content_type ?? ''}" are for virtual machines, which this server does not run`,
    );
  const pool = request.params['pool'] ?? '';
  const { project } = await customAt(services, request, { pool, name: '' });
  const wanted = { pool, project, name: body.name };
  const requestor = request.caller.requestor;
  const described: Omit<NewCustomVolume, 'source' | 'receive'> = {
    ...wanted,
    ...(body.description !== undefined && { description: body.description }),
    ...(body.config && { config: body.config }),
  };
  if (body.source?.type === 'migration')
    return await receiveVolumeHere(services, request, described, await hasVolume(services, request, pool, body.name));
  const source = await sourceOf(services, request, body);
  const asked: NewCustomVolume = { ...described, ...(source && { source }) };
  if (!source) {
    await createVolume(services, asked, { requestor, signal: request.signal });
    return created(volumePath(pool, body.name));
  }
  const exists = await hasVolume(services, request, pool, body.name);
  if (body.source?.refresh && exists)
    return accepted(
      services.operations.run(volumeOperation(request, 'Refreshing storage volume', pool, body.name), ({ signal }) =>
        refreshVolume(services, wanted, source, { signal, requestor }),
      ),
    );
  await checkNewVolume(services, asked);
  return accepted(
    services.operations.run(volumeOperation(request, 'Copying storage volume', pool, body.name), ({ signal }) =>
      createVolume(services, asked, { signal, requestor }),
    ),
  );
}

async function hasVolume(services: Services, request: ApiRequest, pool: string, name: string): Promise<boolean> {
  try {
    await services.database.read(reader => recordAt(reader, { pool, project: request.project, type: 'custom', name }));
    return true;
  } catch (error) {
    if (ApiError.is(error, 'not-found')) return false;
    throw error;
  }
}

async function sourceOf(
  services: Services,
  request: ApiRequest,
  { source }: StorageVolumesPost,
): Promise<NewCustomVolume['source']> {
  const type = source?.type ?? '';
  if (!source || ((type === '' || type === 'none') && !source.name)) return undefined;
  if (type !== 'copy' && type !== '')
    throw new ApiError('unsupported', `Invalid "source.type": "${type}" is not supported here`);
  const [name = '', snapshot, ...more] = (source.name ?? '').split('/');
  if (name === '' || more.length > 0) throw invalid('source.name', 'must read VOLUME or VOLUME/SNAPSHOT');
  const project = callersProject(request, source.project);
  const pool = source.pool || (request.params['pool'] ?? '');
  const at = await customAt(services, { ...request, project }, { pool, name });
  return { ...at, ...(snapshot !== undefined && { snapshot }), withSnapshots: source.volume_only !== true };
}

async function put(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as StorageVolumePut;
  const at = namedVolume(request);
  const context = { requestor: request.caller.requestor };
  const merge = request.method === 'PATCH';
  const change = (current: Pick<StorageVolume, 'name' | 'type' | 'description' | 'config'>) => {
    const { name, type, description, config } = current;
    assertEtag(request.headers['if-match'], { name, type, description, config: usersConfig(config) });
    return {
      description: body.description ?? (merge ? description : ''),
      config: { ...(merge && config), ...body.config },
    };
  };
  if (at.type === 'container') {
    const record = await services.database.read(reader => recordAt(reader, at));
    if (body.restore) throw invalid('restore', 'restore the instance instead');
    await changeInstanceVolume(services, record, { change });
    return sync();
  }
  if (at.type !== 'custom')
    throw new ApiError('invalid-argument', `Storage volumes of type "${at.type}" cannot be changed`);
  const custom = await customAt(services, request, at);
  if (body.restore) {
    const prefix = `${at.name}/`;
    const snapshot = body.restore.startsWith(prefix) ? body.restore.slice(prefix.length) : body.restore;
    const keptUntil = keptUntilFor(services, request, 'undo.snapshots');
    await restoreVolume(services, custom, snapshot, { ...context, ...keptUntil });
  } else await changeVolume(services, custom, { change }, context);
  return sync();
}

async function post(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as StorageVolumePost;
  const at = namedVolume(request);
  if (at.type !== 'custom')
    throw new ApiError('invalid-argument', `Renaming storage volumes of type "${at.type}" is not allowed`);
  const requestor = request.caller.requestor;
  const custom = await customAt(services, request, at);
  // Clients name the volume's own pool beside it; a move within the server has no such flag.
  if (body.migration) {
    await services.database.read(reader => recordAt(reader, at));
    return sendVolumeAway(services, request, custom);
  }
  const project = body.project ? callersProject(request, body.project) : request.project;
  const target = await customAt(services, { ...request, project }, { pool: body.pool || at.pool, name: body.name });
  await services.database.read(reader => recordAt(reader, at));
  if (target.pool === custom.pool && target.project === custom.project) {
    await renameVolume(services, custom, body.name, { requestor });
    return created(volumePath(at.pool, body.name));
  }
  return accepted(
    services.operations.run(volumeOperation(request, 'Moving storage volume', at.pool, at.name), ({ signal }) =>
      moveVolume(services, custom, target, { signal, requestor }),
    ),
  );
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const at = namedVolume(request);
  if (at.type !== 'custom')
    throw new ApiError(
      'invalid-argument',
      `Storage volumes of type "${at.type}" cannot be deleted with the storage API`,
    );
  const custom = await customAt(services, request, at);
  const kept = keptUntilFor(services, request, 'undo.trash');
  const trash = await deleteVolume(services, custom, { requestor: request.caller.requestor, ...kept });
  return sync(trash === undefined ? {} : { trash });
}

function writable({ name, type, description, config }: StorageVolume): unknown {
  return { name, type, description, config };
}

/** As the object was shown: the daemon's notes of work under way are not. */
function usersConfig(config: StorageVolume['config']): StorageVolume['config'] {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !/^volatile\.(rename|refresh|trash)\./.test(key)));
}

function urlOf(pool: string, { type, name, project }: StorageVolume): string {
  const query = project === 'default' ? '' : `?project=${encodeURIComponent(project)}`;
  const [volume = '', snapshot] = name.split('/');
  const inside = snapshot === undefined ? '' : `/snapshots/${encodeURIComponent(snapshot)}`;
  return `${volumePath(pool, volume, type)}${inside}${query}`;
}
