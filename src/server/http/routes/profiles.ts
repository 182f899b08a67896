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
import { ownerToChange, ownerToRead, visibleUsers } from '../project-access.ts';
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

async function list(services: Services, request: ApiRequest): Promise<Reply> {
  const { query } = request;
  const project = await ownerToRead(services, request, 'profiles');
  const profiles = await readProfiles(services, project);
  if (query['recursion'] === '1' || query['recursion'] === '2')
    return sync(profiles.map(profile => visibleUsers(request, profile)));
  return sync(profiles.map(profile => inProject(profilePath(profile.name), project)));
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const profile = request.body as ProfilePut & { readonly name: string };
  const project = await ownerToChange(services, request, 'profiles');
  await createProfile(services, project, profile, request.caller.requestor);
  return created(inProject(profilePath(profile.name), project));
}

async function read(services: Services, request: ApiRequest): Promise<Reply> {
  const project = await ownerToRead(services, request, 'profiles');
  const { record, view } = await readProfile(services, project, request.params['name'] ?? '');
  return sync(visibleUsers(request, view), writableProfile(record));
}

async function change(services: Services, request: ApiRequest): Promise<Reply> {
  const put = (request.body ?? {}) as ProfilePut;
  const check = (writable: unknown): void => assertEtag(request.headers['if-match'], writable);
  const merge = request.method === 'PATCH';
  const { requestor } = request.caller;
  const project = await ownerToChange(services, request, 'profiles');
  await changeProfile(services, project, request.params['name'] ?? '', { put, merge, check }, requestor);
  return sync();
}

async function rename(services: Services, request: ApiRequest): Promise<Reply> {
  const { name: to } = request.body as { name: string };
  if (to === '') throw invalid('name', 'is required');
  const project = await ownerToChange(services, request, 'profiles');
  await renameProfile(services, project, { from: request.params['name'] ?? '', to }, request.caller.requestor);
  return created(inProject(profilePath(to), project));
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const project = await ownerToChange(services, request, 'profiles');
  await deleteProfile(services, project, request.params['name'] ?? '', request.caller.requestor);
  return sync();
}
