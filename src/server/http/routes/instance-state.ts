import { ApiError } from '#api/error.ts';
import type { InstanceAction, InstanceStatePut } from '#api/instance.ts';
import { getInstance, type InstanceRecord, listInstanceRows } from '#server/database/instances.ts';
import { instanceState } from '#server/instances/instance-state.ts';
import type { ActionContext } from '#server/instances/instance-services.ts';
import { readInstance } from '#server/instances/list-instances.ts';
import { startInstance } from '#server/instances/start-instance.ts';
import { assertAllowed } from '#server/instances/status.ts';
import { freezeInstance, restartInstance, stopInstance } from '#server/instances/stop-instance.ts';
import { Lane } from '#base/lane.ts';
import { containerId } from '#server/paths.ts';
import type { Services } from '#server/services.ts';
import { accepted, type ApiRequest, type Reply, type Route, sync } from '../route.ts';
import { instanceStatePut } from './instance-schemas.ts';
import { instanceOperation, wantsPlan } from './instance-operation.ts';

export const instanceStateRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/instances/:name/state', access: 'project', handle: read },
  { method: 'PUT', path: '/1.0/instances/:name/state', access: 'project', body: instanceStatePut, handle: put },
];

const descriptions: Readonly<Record<InstanceAction, string>> = {
  start: 'Starting instance',
  stop: 'Stopping instance',
  restart: 'Restarting instance',
  freeze: 'Freezing instance',
  unfreeze: 'Unfreezing instance',
};

/** Instances that a request for all of them changes at the same time. */
const width = 8;

async function read(services: Services, { params, project }: ApiRequest): Promise<Reply> {
  const { record, expanded } = await readInstance(services, project, params['name'] ?? '');
  return sync(await instanceState(services, record, expanded));
}

async function put(services: Services, request: ApiRequest): Promise<Reply> {
  const state = request.body as InstanceStatePut;
  const name = request.params['name'] ?? '';
  const { project } = request;
  const record = await services.database.read(reader => getInstance(reader, project, name));
  if (wantsPlan(request)) {
    assertAllowed(name, record.ready, services.runtime.status(containerId(project, name)), state.action);
    return sync({ plan: planOf(name, state.action) });
  }
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(instanceOperation(request, descriptions[state.action], [name]), ({ signal }) =>
      changeState(services, project, name, state, { signal, requestor }),
    ),
  );
}

/** PUT /1.0/instances: the same change for all instances that are not in that state already. */
export async function changeAllStates(
  services: Services,
  request: ApiRequest,
  state: InstanceStatePut,
): Promise<Reply> {
  const { project } = request;
  const all = await services.database.read(reader => listInstanceRows(reader, project));
  const names = all.filter(record => concerns(services, record, state.action)).map(record => record.name);
  if (wantsPlan(request)) return sync({ plan: names.flatMap(name => planOf(name, state.action)) });
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(instanceOperation(request, descriptions[state.action], names), async ({ signal }) => {
      const lane = new Lane(width);
      const change = (name: string): Promise<void> =>
        changeState(services, project, name, state, { signal, requestor });
      const results = await Promise.allSettled(names.map(name => lane.run(() => change(name))));
      const failed = results.flatMap((result, index) =>
        result.status === 'rejected' ? [`${names[index] ?? ''}: ${messageOf(result.reason)}`] : [],
      );
      if (failed.length > 0)
        throw new ApiError('failed-precondition', `Failed for some instances: ${failed.join('; ')}`);
    }),
  );
}

async function changeState(
  services: Services,
  project: string,
  name: string,
  { action, timeout = 0, force = false, stateful }: InstanceStatePut,
  context: ActionContext,
): Promise<void> {
  // As LXD has it: no timeout, or 0, is by force; -1 waits for ever.
  const options = { force: force || timeout === 0, timeoutMs: timeout < 0 ? undefined : timeout * 1000 };
  switch (action) {
    case 'start':
      return await startInstance(services, project, name, context, { stateless: stateful === false });
    case 'stop':
      return await stopInstance(services, project, name, { ...options, stateful: stateful === true }, context);
    case 'restart':
      return await restartInstance(services, project, name, options, context);
    default:
      return await freezeInstance(services, project, name, action, context);
  }
}

function concerns(services: Services, record: InstanceRecord, action: InstanceAction): boolean {
  if (!record.ready) return false;
  const kernel = services.runtime.status(containerId(record.project, record.name));
  if (action === 'start') return kernel === 'stopped';
  if (action === 'freeze') return kernel === 'running';
  if (action === 'unfreeze') return kernel === 'frozen';
  return kernel !== 'stopped';
}

function planOf(name: string, action: InstanceAction): readonly object[] {
  const object = `instance "${name}"`;
  if (action === 'restart')
    return [
      { action: 'stop', object, detail: '' },
      { action: 'start', object, detail: '' },
    ];
  return [{ action: action === 'start' || action === 'stop' ? action : 'change', object, detail: action }];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
