import { deleteLog, listLogs, readLog } from '../../instances/logs.ts';
import { reachInstance } from '../../instances/reach-instance.ts';
import { sync, type Route } from '../route.ts';

const path = '/1.0/instances/:name/logs';

export const logRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    access: 'project',
    handle: async (services, { params, project }) =>
      sync(await listLogs(services, await reachInstance(services, project, params['name'] ?? ''))),
  },
  {
    method: 'GET',
    path: `${path}/:file`,
    access: 'project',
    handle: async (services, { params, project }) => {
      const instance = await reachInstance(services, project, params['name'] ?? '');
      const file = params['file'] ?? '';
      const body = await readLog(services, instance, file);
      const headers = {
        'content-type': 'application/octet-stream',
        'content-disposition': `inline;filename=${encodeURIComponent(file)}`,
      };
      return { kind: 'raw', headers, body };
    },
  },
  {
    method: 'DELETE',
    path: `${path}/:file`,
    access: 'project',
    handle: async (services, { params, project }) => {
      await deleteLog(services, await reachInstance(services, project, params['name'] ?? ''), params['file'] ?? '');
      return sync();
    },
  },
];
