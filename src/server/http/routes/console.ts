import type { InstanceConsolePost } from '#api/instance.ts';
import { attachConsole, clearConsoleLog, consoleLog } from '../../instances/console.ts';
import { reachInstance } from '../../instances/reach-instance.ts';
import { accepted, sync, type Route } from '../route.ts';

const path = '/1.0/instances/:name/console';

const schema = {
  type: 'object',
  properties: { width: { type: 'integer' }, height: { type: 'integer' }, type: { type: 'string' } },
} as const;

export const consoleRoutes: readonly Route[] = [
  {
    method: 'POST',
    path,
    access: 'project',
    body: schema,
    handle: async (services, { params, project, body, caller }) => {
      const instance = await reachInstance(services, project, params['name'] ?? '');
      return accepted(attachConsole(services, instance, body as InstanceConsolePost, caller.requestor));
    },
  },
  {
    method: 'GET',
    path,
    access: 'project',
    handle: async (services, { params, project }) => {
      const instance = await reachInstance(services, project, params['name'] ?? '');
      const headers = {
        'content-type': 'application/octet-stream',
        'content-disposition': 'inline;filename=console.log',
      };
      return { kind: 'raw', headers, body: await consoleLog(services, instance) };
    },
  },
  {
    method: 'DELETE',
    path,
    access: 'project',
    handle: async (services, { params, project, caller }) => {
      const instance = await reachInstance(services, project, params['name'] ?? '');
      await clearConsoleLog(services, instance, caller.requestor);
      return sync();
    },
  },
];
