import { ApiError, invalid } from '#api/error.ts';
import type { InstancePost, InstancePut, InstancesPost, InstanceStatePut } from '#api/instance.ts';
import { getInstance } from '#server/database/instances.ts';
import { sourceMembers } from '#server/images/image-body.ts';
import { awaitInstance } from '#server/instances/create-from-server.ts';
import { beginInstance, planCreate } from '#server/instances/create-instance.ts';
import { assertDeletable, deleteInstance, isWorthKeeping } from '#server/instances/delete-instance.ts';
import { parseFilter } from '#server/instances/filter.ts';
import {
  listFullInstances,
  listInstances,
  listInstanceUrls,
  readFullInstance,
  readInstance,
} from '#server/instances/list-instances.ts';
import { moveInstance } from '#server/instances/move-instance.ts';
import { findRefreshed, refreshInstance } from '#server/instances/refresh-instance.ts';
import { renameInstance } from '#server/instances/rename-instance.ts';
import { restoreSnapshot } from '#server/instances/restore-snapshot.ts';
import { changeInstance, planChange, type UpdateRequest, writableInstance } from '#server/instances/update-instance.ts';
import type { Services } from '#server/services.ts';
import { assertEtag } from '../../etag.ts';
import { keptUntilFor } from '../undoable.ts';
import { projectsOf, wantsAllProjects } from '../request.ts';
import { accepted, type ApiRequest, type Reply, type Route, sync } from '../route.ts';
import { importBackup } from './instance-backups.ts';
import { instancePost, instancePut, instancesPost, instancesPut } from './instance-schemas.ts';
import { addressOf, nameOf } from './image-create.ts';
import { instanceOperation, wantsPlan } from './instance-operation.ts';
import { receiveInstance, sendInstance } from './instance-migration.ts';
import { changeAllStates } from './instance-state.ts';

export const instanceRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/instances', access: 'project', allProjects: true, handle: list },
  {
    method: 'POST',
    path: '/1.0/instances',
    access: 'project',
    body: instancesPost,
    upload: importBackup,
    handle: create,
  },
  { method: 'PUT', path: '/1.0/instances', access: 'project', body: instancesPut, handle: putAll },
  { method: 'GET', path: '/1.0/instances/:name', access: 'project', handle: read },
  { method: 'PUT', path: '/1.0/instances/:name', access: 'project', body: instancePut, handle: put },
  { method: 'PATCH', path: '/1.0/instances/:name', access: 'project', body: instancePut, handle: patch },
  { method: 'POST', path: '/1.0/instances/:name', access: 'project', body: instancePost, handle: post },
  { method: 'DELETE', path: '/1.0/instances/:name', access: 'project', handle: remove },
];

async function list(services: Services, request: ApiRequest): Promise<Reply> {
  const { query } = request;
  const projects = projectsOf(request);
  const asked = parseFilter(query['filter'] ?? '');
  const several = wantsAllProjects(query) ? projects : undefined;
  const filter = several
    ? (object: object): boolean => several.includes((object as { project: string }).project) && asked(object)
    : asked;
  const scope = { project: wantsAllProjects(query) ? undefined : request.project, filter };
  switch (query['recursion'] ?? '0') {
    case '0':
    case '':
      return sync(await listInstanceUrls(services, query['filter'] || several ? scope : { project: scope.project }));
    case '1':
      return sync(await listInstances(services, scope));
    case '2':
      return sync(await listFullInstances(services, scope));
    default:
      throw invalid('recursion', 'must be 0, 1 or 2');
  }
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as InstancesPost;
  const { project } = request;
  const source = body.source.project;
  if (source && request.caller.projects && !request.caller.projects.includes(source))
    throw new ApiError('not-found', `Instance "${body.source.source ?? ''}" not found`);
  const isRemoteImage = body.source.type === 'image' && Boolean(body.source.server);
  // the rest of the plan does not depend on an image that is not here yet
  const planned: InstancesPost = isRemoteImage ? { ...body, source: { type: 'none' } } : body;
  if (wantsPlan(request)) return sync({ plan: await planCreate(services, project, planned) });
  if (body.source.type === 'migration') return await receiveInstance(services, request);
  if (isRemoteImage) return await createFromServer(services, request, body);
  const refreshed = await findRefreshed(services, project, body);
  if (refreshed)
    return accepted(
      services.operations.run(
        { ...instanceOperation(request, 'Refreshing instance', [refreshed.name]), mayCancel: true },
        ({ signal }) => refreshInstance(services, refreshed, body, { signal, requestor: request.caller.requestor }),
      ),
    );
  const begun = await beginInstance(services, project, body);
  try {
    const word = body.source.type === 'copy' ? 'Copying instance' : 'Creating instance';
    return accepted(
      services.operations.run(
        { ...instanceOperation(request, word, [begun.record.name]), mayCancel: true },
        async operation => {
          const update = (metadata: Readonly<Record<string, unknown>>): void => operation.update(metadata);
          await begun.finish({ signal: operation.signal, update, requestor: request.caller.requestor });
        },
      ),
    );
  } catch (error) {
    await begun.abandon();
    throw error;
  }
}

/** The image comes from another server first, or from the cache. */
async function createFromServer(services: Services, request: ApiRequest, body: InstancesPost): Promise<Reply> {
  const source = sourceMembers({ source: body.source });
  const image = { address: addressOf(source), name: nameOf(source) };
  const awaited = await awaitInstance(services, request.project, body, image);
  return accepted(
    services.operations.run(
      { ...instanceOperation(request, 'Creating instance', [awaited.name]), mayCancel: true },
      async operation => {
        const update = (metadata: Readonly<Record<string, unknown>>): void => operation.update(metadata);
        const { requestor, admin } = request.caller;
        await awaited.finish({ signal: operation.signal, update, requestor, asServer: admin });
      },
    ),
  );
}

async function putAll(services: Services, request: ApiRequest): Promise<Reply> {
  return await changeAllStates(services, request, (request.body as { state: InstanceStatePut }).state);
}

async function read(services: Services, { params, project, query }: ApiRequest): Promise<Reply> {
  const name = params['name'] ?? '';
  if (query['recursion'] === '1' || query['recursion'] === '2')
    return sync(await readFullInstance(services, project, name));
  const { record, view } = await readInstance(services, project, name);
  return sync(view, writableInstance(record));
}

async function put(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as InstancePut;
  const name = request.params['name'] ?? '';
  const { project } = request;
  const { requestor } = request.caller;
  if (body.restore) {
    const snapshot = body.restore.startsWith(`${name}/`) ? body.restore.slice(name.length + 1) : body.restore;
    const wanted = { name: snapshot, stateful: body.stateful === true };
    await services.database.read(reader => getInstance(reader, project, name));
    const kept = keptUntilFor(services, request, 'undo.snapshots');
    return accepted(
      services.operations.run(instanceOperation(request, 'Restoring snapshot', [name]), ({ signal }) =>
        restoreSnapshot(services, project, name, wanted, { signal, requestor, ...kept }),
      ),
    );
  }
  const update = updateOf(request, body, false);
  const plan = await planChange(services, project, name, update);
  if (wantsPlan(request)) return sync({ plan });
  return accepted(
    services.operations.run(instanceOperation(request, 'Updating instance', [name]), ({ signal }) =>
      changeInstance(services, project, name, update, { signal, requestor }),
    ),
  );
}

async function patch(services: Services, request: ApiRequest): Promise<Reply> {
  const name = request.params['name'] ?? '';
  const { project } = request;
  const update = updateOf(request, request.body as InstancePut, true);
  if (wantsPlan(request)) return sync({ plan: await planChange(services, project, name, update) });
  await changeInstance(services, project, name, update, { requestor: request.caller.requestor });
  return sync();
}

async function post(services: Services, request: ApiRequest): Promise<Reply> {
  const body = request.body as InstancePost;
  const name = request.params['name'] ?? '';
  const { project } = request;
  await services.database.read(reader => getInstance(reader, project, name));
  if (body.pool || body.project) return moveWithin(services, request, name, body);
  if (body.migration) return await sendInstance(services, request);
  if (!body.name) throw invalid('name', 'is required');
  const newName = body.name;
  return accepted(
    services.operations.run(instanceOperation(request, 'Renaming instance', [name]), ({ signal }) =>
      renameInstance(services, project, name, newName, { signal, requestor: request.caller.requestor }),
    ),
  );
}

/** To another pool or project of this server. */
function moveWithin(services: Services, request: ApiRequest, name: string, body: InstancePost): Reply {
  const { project, caller } = request;
  if (body.project && caller.projects && !caller.projects.includes(body.project))
    throw new ApiError('not-found', `Project "${body.project}" not found`);
  const move = {
    name: body.name || name,
    pool: body.pool,
    project: body.project,
    instanceOnly: body.instance_only === true || body.container_only === true,
  };
  return accepted(
    services.operations.run(
      { ...instanceOperation(request, 'Moving instance', [name]), mayCancel: true },
      ({ signal }) => moveInstance(services, project, name, move, { signal, requestor: caller.requestor }),
    ),
  );
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const name = request.params['name'] ?? '';
  const { project } = request;
  const { record, expanded } = await readInstance(services, project, name);
  const kept = keptUntilFor(services, request, 'undo.trash');
  if (wantsPlan(request)) {
    assertDeletable(services, record, expanded.config['security.protection.delete'] === 'true');
    const until = isWorthKeeping(record) ? kept.keptUntil : undefined;
    const detail = until === undefined ? 'with its snapshots' : `with its snapshots; in the trash until ${until}`;
    if (until !== undefined) return sync({ plan: [{ action: 'delete', object: `instance "${name}"`, detail }] });
    const plan = [
      { action: 'delete', object: `instance "${name}"`, detail },
      { action: 'delete', object: `volume "${name}"`, detail: `in storage pool "${record.pool}"` },
    ];
    return sync({ plan });
  }
  return accepted(
    services.operations.run(instanceOperation(request, 'Deleting instance', [name]), async ({ signal }) => {
      const { requestor } = request.caller;
      const trash = await deleteInstance(services, project, name, { signal, requestor, ...kept });
      return trash === undefined ? {} : { trash };
    }),
  );
}

function updateOf(request: ApiRequest, body: InstancePut, merge: boolean): UpdateRequest {
  return { put: body, merge, check: writable => assertEtag(request.headers['if-match'], writable) };
}
