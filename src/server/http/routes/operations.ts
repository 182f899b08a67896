import { ApiError, invalid } from '#api/error.ts';
import type { Operation } from '#api/operation.ts';
import type { Services } from '../../services.ts';
import { projectsOf, wantsWhole } from '../request.ts';
import { type ApiRequest, type Caller, type Route, sync, type UpgradeRoute } from '../route.ts';

export const operationRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/1.0/operations',
    access: 'project',
    allProjects: true,
    handle: (services, request) => sync(grouped(visible(services, request), wantsWhole(request.query))),
  },
  {
    method: 'GET',
    path: '/1.0/operations/:id',
    access: 'trusted',
    handle: (services, request) => sync(operationOf(services, request)),
  },
  {
    method: 'DELETE',
    path: '/1.0/operations/:id',
    access: 'trusted',
    handle: (services, request) => {
      services.operations.cancel(operationOf(services, request).id);
      return sync();
    },
  },
  {
    method: 'GET',
    path: '/1.0/operations/:id/wait',
    access: 'open',
    handle: async (services, request) => {
      const id = request.params['id'] ?? '';
      const { secret } = request.query;
      if (secret !== undefined && secret !== '') services.operations.checkSecret(id, secret);
      else operationOf(services, request);
      return sync(await services.operations.wait(id, timeoutMs(request.query['timeout']), request.signal));
    },
  },
];

export const operationUpgrades: readonly UpgradeRoute[] = [
  {
    path: '/1.0/operations/:id/websocket',
    // whoever knows the secret may connect, as LXD's migration targets do
    access: 'open',
    protocol: 'websocket',
    handle: async ({ operations }, request, upgrade) => {
      const id = request.params['id'] ?? '';
      const secret = request.query['secret'] ?? '';
      if (secret === '') throw new ApiError('permission-denied', 'The query needs the secret of a websocket');
      operations.checkSecret(id, secret);
      refuseStranger(operations, id, request.caller);
      const socket = await upgrade.websocket();
      try {
        operations.connect(id, secret, socket);
      } catch (error) {
        socket.close(1008, error instanceof Error ? error.message.slice(0, 120) : '');
      }
    },
  },
];

/**
 * A session inside an instance belongs to the client that began it: a secret that another client has seen is no key to
 * it. Secrets of migration are for other servers.
 */
function refuseStranger(operations: Services['operations'], id: string, { admin, requestor }: Caller): void {
  const maker = operations.requestorOf(id);
  const isSession = operations.get(id).metadata?.['fds'] !== undefined;
  if (!isSession || admin || !maker || maker.username === requestor.username) return;
  throw new ApiError('permission-denied', `Operation "${id}" belongs to another client`);
}

/** The operation of the path; strangers and other projects' clients learn nothing about it. */
function operationOf({ operations }: Services, { params, caller }: ApiRequest): Operation {
  const id = params['id'] ?? '';
  if (!caller.trusted) throw new ApiError('permission-denied', 'Not authorized');
  if (caller.projects && !caller.projects.includes(operations.projectOf(id)))
    throw new ApiError('not-found', `Operation "${id}" not found`);
  return operations.get(id);
}

/** Operations of the request's project; of all projects with ?all-projects=true. Those of none are for administrators. */
function visible({ operations }: Services, request: ApiRequest): readonly Operation[] {
  const { caller } = request;
  const projects = projectsOf(request);
  return operations.list().filter(({ id }) => {
    const owner = operations.projectOf(id);
    if (owner === '') return caller.admin;
    return (projects?.includes(owner) ?? true) && (caller.projects?.includes(owner) ?? true);
  });
}

/** By lower-case status; the text of the URLs or whole objects. */
function grouped(operations: readonly Operation[], whole: boolean): Record<string, unknown[]> {
  const groups: Record<string, unknown[]> = {};
  for (const operation of operations)
    (groups[operation.status.toLowerCase()] ??= []).push(whole ? operation : `/1.0/operations/${operation.id}`);
  return groups;
}

/** Seconds; absent and negative mean no limit. */
function timeoutMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d{1,9}$/.test(text)) throw invalid('timeout', 'must be a number of seconds');
  const seconds = Number(text);
  return seconds < 0 ? undefined : seconds * 1000;
}
