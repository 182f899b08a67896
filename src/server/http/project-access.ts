import { defaultProject } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { ownerProject, type ProjectFeature } from '../database/project-features.ts';
import type { Services } from '../services.ts';
import type { ApiRequest, Caller } from './route.ts';

/** The project whose objects of a kind the request's project uses. */
export async function ownerToRead(
  { database }: Pick<Services, 'database'>,
  { project }: ApiRequest,
  feature: ProjectFeature,
): Promise<string> {
  return await database.read(reader => ownerProject(reader, project, feature));
}

/**
 * The same for a change: who may use a project without objects of its own may not for that change those of the default
 * project, which others share. Throws "permission-denied".
 */
export async function ownerToChange(
  services: Pick<Services, 'database'>,
  request: ApiRequest,
  feature: ProjectFeature,
): Promise<string> {
  const owner = await ownerToRead(services, request, feature);
  if (!maySee(request.caller, owner))
    throw new ApiError(
      'permission-denied',
      `Not authorized: project "${request.project}" uses the ${feature} of project "${owner}"`,
    );
  return owner;
}

export function maySee({ projects }: Pick<Caller, 'projects'>, project: string): boolean {
  return projects === undefined || projects.includes(project);
}

/** An object without the users that lie in projects which the caller may not see. */
export function visibleUsers<T extends { readonly used_by: readonly string[] }>({ caller }: ApiRequest, object: T): T {
  if (caller.projects === undefined) return object;
  return { ...object, used_by: object.used_by.filter(url => maySee(caller, projectOf(url))) };
}

function projectOf(url: string): string {
  return new URL(url, 'http://host').searchParams.get('project') ?? defaultProject;
}
