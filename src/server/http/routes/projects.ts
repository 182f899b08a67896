import { defaultProject } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { getProject, listProjects } from '../../database/projects.ts';
import { type ApiRequest, type Reply, type Route, sync } from '../route.ts';

/** There is one project, "default": it can be read and not be changed. */
export const projectRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/1.0/projects',
    access: 'trusted',
    handle: async ({ database }, { query, caller }) => {
      const projects = (await database.read(listProjects)).filter(
        ({ name }) => !caller.projects || caller.projects.includes(name),
      );
      const whole = Number(query['recursion'] ?? 0) > 0;
      return sync(whole ? projects : projects.map(({ name }) => `/1.0/projects/${encodeURIComponent(name)}`));
    },
  },
  {
    method: 'GET',
    path: '/1.0/projects/:name',
    access: 'trusted',
    handle: async ({ database }, request) => {
      const name = allowedName(request);
      const project = await database.read(reader => getProject(reader, name));
      return sync(project, { description: project.description, config: project.config });
    },
  },
  { method: 'POST', path: '/1.0/projects', access: 'admin', handle: refuse },
  { method: 'POST', path: '/1.0/projects/:name', access: 'admin', handle: refuse },
  { method: 'PUT', path: '/1.0/projects/:name', access: 'admin', handle: refuse },
  { method: 'PATCH', path: '/1.0/projects/:name', access: 'admin', handle: refuse },
  { method: 'DELETE', path: '/1.0/projects/:name', access: 'admin', handle: refuse },
];

function allowedName({ params, caller }: ApiRequest): string {
  const name = params['name'] ?? '';
  if (caller.projects && !caller.projects.includes(name))
    throw new ApiError('permission-denied', `Not authorized: this certificate may not use project "${name}"`);
  return name;
}

function refuse(): Reply {
  throw new ApiError(
    'unsupported',
    `Projects cannot be created or changed in this release: there is only project "${defaultProject}"`,
  );
}
