import { invalid } from '#api/error.ts';
import { deleteWarning, getWarning, listWarnings, setWarningStatus } from '../../database/warnings.ts';
import { emitLifecycle } from '../../events/event-bus.ts';
import type { Services } from '../../services.ts';
import { assertEtag } from '../../etag.ts';
import { wantsWhole } from '../request.ts';
import { type ApiRequest, type Reply, type Route, sync } from '../route.ts';

const body = { type: 'object', properties: { status: { type: 'string' } }, required: ['status'] };

export const warningRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/1.0/warnings',
    access: 'admin',
    handle: async ({ database }, { query }) => {
      const warnings = await database.read(listWarnings);
      const whole = wantsWhole(query);
      return sync(whole ? warnings : warnings.map(({ uuid }) => `/1.0/warnings/${uuid}`));
    },
  },
  {
    method: 'GET',
    path: '/1.0/warnings/:uuid',
    access: 'admin',
    handle: async ({ database }, { params }) => {
      const warning = await database.read(reader => getWarning(reader, params['uuid'] ?? ''));
      return sync(warning, { status: warning.status });
    },
  },
  { method: 'PUT', path: '/1.0/warnings/:uuid', access: 'admin', body, handle: change },
  { method: 'PATCH', path: '/1.0/warnings/:uuid', access: 'admin', body, handle: change },
  {
    method: 'DELETE',
    path: '/1.0/warnings/:uuid',
    access: 'admin',
    handle: async ({ database, events }, { params, caller }) => {
      const uuid = params['uuid'] ?? '';
      await database.write(tx => deleteWarning(tx, uuid));
      emitLifecycle(events, 'warning-deleted', `/1.0/warnings/${uuid}`, { requestor: caller.requestor });
      return sync();
    },
  },
];

async function change({ database, events }: Services, request: ApiRequest): Promise<Reply> {
  const uuid = request.params['uuid'] ?? '';
  const { status } = request.body as { status: string };
  if (status !== 'new' && status !== 'acknowledged') throw invalid('status', 'must be "new" or "acknowledged"');
  await database.write(async tx => {
    const current = await getWarning(tx, uuid);
    assertEtag(request.headers['if-match'], { status: current.status });
    await setWarningStatus(tx, uuid, status);
  });
  const action = status === 'new' ? 'warning-reset' : 'warning-acknowledged';
  emitLifecycle(events, action, `/1.0/warnings/${uuid}`, { requestor: request.caller.requestor });
  return sync();
}
