import type { Project, ProjectPut, ProjectsPost } from '#api/project.ts';
import { notFound } from '#api/error.ts';
import { getProject, listProjects } from '../../database/projects.ts';
import {
  checkRename,
  createProject,
  deleteProject,
  projectPath,
  renameProject,
  updateProject,
} from '../../projects/change-project.ts';
import { loadContent } from '../../projects/project-content.ts';
import { projectState } from '../../projects/usage.ts';
import type { Services } from '../../services.ts';
import { assertEtag } from '../../etag.ts';
import { wantsWhole } from '../request.ts';
import { accepted, type ApiRequest, created, type JsonSchema, type Reply, type Route, sync } from '../route.ts';

const putSchema: JsonSchema = {
  type: 'object',
  properties: {
    description: { type: 'string' },
    config: { type: 'object', additionalProperties: { type: 'string' } },
  },
};
const postSchema: JsonSchema = {
  ...putSchema,
  properties: { ...(putSchema['properties'] as object), name: { type: 'string' } },
};
const renameSchema: JsonSchema = { type: 'object', properties: { name: { type: 'string' } } };

const one = '/1.0/projects/:name';

export const projectRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/projects', access: 'trusted', handle: list },
  { method: 'POST', path: '/1.0/projects', access: 'admin', body: postSchema, handle: create },
  { method: 'GET', path: one, access: 'trusted', handle: show },
  { method: 'PUT', path: one, access: 'admin', body: putSchema, handle: change },
  { method: 'PATCH', path: one, access: 'admin', body: putSchema, handle: change },
  { method: 'POST', path: one, access: 'admin', body: renameSchema, handle: rename },
  { method: 'GET', path: `${one}/state`, access: 'trusted', handle: state },
  { method: 'DELETE', path: one, access: 'admin', handle: remove },
];

async function list({ database }: Services, { query, caller }: ApiRequest): Promise<Reply> {
  const all = await database.read(listProjects);
  const projects = all.filter(({ name }) => !caller.projects || caller.projects.includes(name));
  const whole = wantsWhole(query);
  return sync(whole ? projects : projects.map(({ name }) => projectPath(name)));
}

async function show({ database }: Services, request: ApiRequest): Promise<Reply> {
  const name = visibleName(request);
  const project = await database.read(reader => getProject(reader, name));
  return sync(viewOf(project), writable(project));
}

async function state({ database }: Services, request: ApiRequest): Promise<Reply> {
  const name = visibleName(request);
  return sync(projectState(await database.read(reader => loadContent(reader, name))));
}

async function create(services: Services, { body, caller }: ApiRequest): Promise<Reply> {
  const request = body as Partial<ProjectsPost>;
  const name = request.name ?? '';
  await createProject(services, { ...request, name }, caller.requestor);
  return created(projectPath(name));
}

async function change(services: Services, request: ApiRequest): Promise<Reply> {
  const { description, config = {} } = request.body as ProjectPut;
  const merge = request.method === 'PATCH';
  await updateProject(
    services,
    request.params['name'] ?? '',
    current => {
      assertEtag(request.headers['if-match'], writable(current));
      return {
        description: description ?? (merge ? current.description : ''),
        config: merge ? { ...current.config, ...config } : config,
      };
    },
    request.caller.requestor,
  );
  return sync();
}

async function rename(services: Services, { body, params, caller }: ApiRequest): Promise<Reply> {
  const { requestor } = caller;
  const names = { from: params['name'] ?? '', to: (body as { readonly name?: string }).name ?? '' };
  checkRename(await services.database.read(reader => getProject(reader, names.from)), names.to);
  // of no project: clients follow it from whichever project is theirs
  const operation = { description: 'Renaming project', project: '', requestor };
  return accepted(services.operations.run(operation, () => renameProject(services, names, requestor)));
}

async function remove(services: Services, { params, caller }: ApiRequest): Promise<Reply> {
  await deleteProject(services, params['name'] ?? '', caller.requestor);
  return sync();
}

/** Restricted clients do not learn which other projects there are. */
function visibleName({ params, caller }: ApiRequest): string {
  const name = params['name'] ?? '';
  if (caller.projects && !caller.projects.includes(name)) throw notFound('Project', name);
  return name;
}

function viewOf({ name, description, config, used_by }: Project): Project {
  return { name, description, config, used_by };
}

function writable({ description, config }: Project): unknown {
  return { description, config };
}
