import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { defaultProject } from '#api/common.ts';
import { ApiError, notFound } from '#api/error.ts';
import type { Database } from '../database/database.ts';
import type { Settings } from '../settings/settings.ts';
import { originAllowed } from './cross-origin.ts';
import { wantsAllProjects } from './request.ts';
import type { ApiRequest, Route } from './route.ts';

/** Throws "permission-denied" unless the caller may use the route with the project of the request. */
export function authorize(
  { access, allProjects = false }: Pick<Route, 'access' | 'allProjects'>,
  { caller, project, query }: Pick<ApiRequest, 'caller' | 'project' | 'query'>,
): void {
  if (access === 'open' || caller.admin) return;
  if (!caller.trusted) throw new ApiError('permission-denied', 'Not authorized');
  if (access === 'trusted') return;
  if (access === 'admin')
    throw new ApiError('permission-denied', 'Not authorized: this certificate is restricted to projects');
  if (allProjects && wantsAllProjects(query)) return;
  if (caller.projects && !caller.projects.includes(project))
    throw new ApiError('permission-denied', `Not authorized: this certificate may not use project "${project}"`);
}

/** Throws "not-found" for an unknown project where it matters; strangers are not told which ones exist. */
export async function checkProject(
  database: Database,
  route: Pick<Route, 'access' | 'path'>,
  { caller, project }: Pick<ApiRequest, 'caller' | 'project'>,
): Promise<void> {
  const matters = route.access === 'project' || route.path.startsWith('/1.0/images');
  if (!matters || project === defaultProject || !caller.trusted) return;
  const row = await database.read(reader => reader.get('SELECT id FROM projects WHERE name = ?', [project]));
  if (!row) throw notFound('Project', project);
}

/**
 * Throws "permission-denied" for requests that a web page of an origin that is not allowed makes a browser send. No
 * browser reaches the unix socket, where some libraries send an origin that they make up.
 */
export function refuseOtherOrigins({ headers, socket }: IncomingMessage, settings: Settings): void {
  if (originAllowed(settings, headers.origin)) return;
  const site = headers['sec-fetch-site'];
  const { origin, host } = headers;
  const own = origin === `https://${host ?? ''}` || origin === `http://${host ?? ''}`;
  const foreign = origin !== undefined && !own && socket instanceof TLSSocket;
  if (site === 'cross-site' || site === 'same-site' || foreign)
    throw new ApiError('permission-denied', 'Requests from web pages of other origins are refused');
}

/** While the daemon stops, only looking and following is left. */
export function refuseWhileStopping(shuttingDown: boolean, method: string, path: string): void {
  if (!shuttingDown || method === 'GET' || method === 'HEAD') return;
  if (path === '/1.0' || /^\/(1\.0\/(events|operations)|internal)(\/|$)/.test(path)) return;
  throw new ApiError('unavailable', 'The daemon is shutting down');
}

/**
 * Requests about instances, pools, networks and images wait until the daemon has taken over what the last one left: a
 * container that runs must not look stopped, or it could be started twice.
 */
export function waitsForRecovery(path: string): boolean {
  return /^\/1\.0\/(?!events$|operations|certificates|projects|resources|warnings)/.test(path);
}
