import type { TrashPost } from '#api/trash.ts';
import { ApiError } from '#api/error.ts';
import type { TrashRecord } from '#server/database/trash.ts';
import { volumeProject } from '#server/database/volume-users.ts';
import type { Services } from '#server/services.ts';
import { deleteAll, deleteTrash } from '#server/undo/empty-trash.ts';
import { checkRestore, restoreTrash } from '#server/undo/restore-trash.ts';
import { findTrash, itemOf, listTrash, type MaySee } from '#server/undo/trash-items.ts';
import { maySee } from '../project-access.ts';
import { projectsOf, wantsWhole } from '../request.ts';
import { accepted, type ApiRequest, type JsonSchema, type Reply, type Route, sync } from '../route.ts';
import { wantsPlan } from './instance-operation.ts';

const all = '/1.0/trash';
const one = '/1.0/trash/:id';

const trashPost: JsonSchema = { type: 'object', properties: { name: { type: 'string' } } };

export const trashRoutes: readonly Route[] = [
  { method: 'GET', path: all, access: 'project', allProjects: true, handle: list },
  { method: 'DELETE', path: all, access: 'project', allProjects: true, handle: empty },
  { method: 'GET', path: one, access: 'project', handle: read },
  { method: 'POST', path: one, access: 'project', body: trashPost, handle: restore },
  { method: 'DELETE', path: one, access: 'project', handle: remove },
];

async function list(services: Services, request: ApiRequest): Promise<Reply> {
  const items = await listTrash(services, await trashScope(services, request));
  return sync(wantsWhole(request.query) ? items : items.map(({ id }) => `${all}/${id}`));
}

async function read(services: Services, request: ApiRequest): Promise<Reply> {
  return sync(await itemOf(services.pools, await named(services, request)));
}

async function restore(services: Services, request: ApiRequest): Promise<Reply> {
  const record = await named(services, request);
  const name = (request.body as TrashPost | undefined)?.name || record.name;
  await checkRestore(services, record, name);
  if (wantsPlan(request)) {
    const detail = `deleted ${record.deletedAt}, in storage pool "${record.pool}"`;
    return sync({ plan: [{ action: 'create', object: `${record.type} "${name}"`, detail }] });
  }
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(trashOperation(request, 'Restoring from the trash', record), ({ signal }) =>
      restoreTrash(services, record.uuid, name, { signal, requestor }),
    ),
  );
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const record = await named(services, request);
  return accepted(
    services.operations.run(trashOperation(request, 'Deleting from the trash', record), () =>
      deleteTrash(services, record.uuid, request.caller.requestor),
    ),
  );
}

/** All that the request's projects have there, or of it what is in ?pool=. */
async function empty(services: Services, request: ApiRequest): Promise<Reply> {
  const { query, project, caller } = request;
  const items = await listTrash(services, await trashScope(services, request));
  const ids = items.filter(({ pool }) => !query['pool'] || pool === query['pool']).map(({ id }) => id);
  const { requestor } = caller;
  return accepted(
    services.operations.run({ description: 'Emptying the trash', project, requestor }, async () => {
      const failed = await deleteAll(services, ids, requestor);
      if (failed.length > 0)
        throw new ApiError('internal', `Failed deleting ${failed.join(', ')} from the trash; the log says why`);
    }),
  );
}

async function named(services: Services, request: ApiRequest): Promise<TrashRecord> {
  return await findTrash(services, request.params['id'] ?? '', await trashScope(services, request));
}

/** Instances of the request's project, volumes that it uses; of all projects that the caller may see when so asked. */
export async function trashScope(services: Services, request: ApiRequest): Promise<MaySee> {
  const projects = projectsOf(request);
  if (projects === undefined) return () => true;
  const owners = await services.database.read(reader =>
    Promise.all(projects.map(project => volumeProject(reader, project))),
  );
  return ({ type, project }) =>
    maySee(request.caller, project) && (type === 'instance' ? projects : owners).includes(project);
}

function trashOperation({ project, caller }: ApiRequest, description: string, { uuid }: TrashRecord) {
  return { description, project, requestor: caller.requestor, resources: { trash: [`${all}/${uuid}`] } };
}
