import { invalid } from '#api/error.ts';
import type { ProfilePut } from '#api/profile.ts';
import { changeProfile, createProfile } from '#server/instances/change-profile.ts';
import { inProject } from '#server/instances/list-instances.ts';
import {
  deleteProfile,
  profilePath,
  readProfile,
  readProfiles,
  renameProfile,
  writableProfile,
} from '#server/profiles/profiles.ts';
import type { Services } from '#server/services.ts';
import { assertEtag } from '../../etag.ts';
import { type ApiRequest, created, type Reply, type Route, sync } from '../route.ts';
import { profilePut, profilesPost, renamePost } from './instance-schemas.ts';

export const profileRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/profiles', access: 'project', handle: list },
  { method: 'POST', path: '/1.0/profiles', access: 'project', body: profilesPost, handle: create },
  { method: 'GET', path: '/1.0/profiles/:name', access: 'project', handle: read },
  { method: 'PUT', path: '/1.0/profiles/:name', access: 'project', body: profilePut, handle: change },
  { method: 'PATCH', path: '/1.0/profiles/:name', access: 'project', body: profilePut, handle: change },
  { method: 'POST', path: '/1.0/profiles/:name', access: 'project', body: renamePost, handle: rename },
  { method: 'DELETE', path: '/1.0/profiles/:name', access: 'project', handle: remove },
];

async function list(services: Services, { project, query }: ApiRequest): Promise<Reply> {
  const profiles = await readProfiles(services, project);
  if (query['recursion'] === '1' || query['recursion'] === '2') return sync(profiles);
  return sync(profiles.map(profile => inProject(profilePath(profile.name), project)));
}

async function create(services: Services, { body, project, caller }: ApiRequest): Promise<Reply> {
  const request = body as ProfilePut & { readonly name: string };
  await createProfile(services, project, request, caller.requestor);
  return created(inProject(profilePath(request.name), project));
}

async function read(services: Services, { params, project }: ApiRequest): Promise<Reply> {
  const { record, view } = await readProfile(services, project, params['name'] ?? '');
  return sync(view, writableProfile(record));
}

async function change(services: Services, request: ApiRequest): Promise<Reply> {
  const put = (request.body ?? {}) as ProfilePut;
  const check = (writable: unknown): void => assertEtag(request.headers['if-match'], writable);
  const merge = request.method === 'PATCH';
  const { requestor } = request.caller;
  await changeProfile(services, request.project, request.params['name'] ?? '', { put, merge, check }, requestor);
  return sync();
}

async function rename(services: Services, { body, params, project, caller }: ApiRequest): Promise<Reply> {
  const { name: to } = body as { name: string };
  if (to === '') throw invalid('name', 'is required');
  await renameProfile(services, project, { from: params['name'] ?? '', to }, caller.requestor);
  return created(inProject(profilePath(to), project));
}

async function remove(services: Services, { params, project, caller }: ApiRequest): Promise<Reply> {
  await deleteProfile(services, project, params['name'] ?? '', caller.requestor);
  return sync();
}
