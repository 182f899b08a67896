import type { InstanceExecPost } from '#api/instance.ts';
import { execInstance } from '../../instances/exec.ts';
import { reachInstance } from '../../instances/reach-instance.ts';
import { accepted, type Route } from '../route.ts';

const schema = {
  type: 'object',
  required: ['command'],
  properties: {
    command: { type: 'array', items: { type: 'string' }, minItems: 1 },
    'wait-for-websocket': { type: 'boolean' },
    interactive: { type: 'boolean' },
    environment: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
    width: { type: 'integer' },
    height: { type: 'integer' },
    'record-output': { type: 'boolean' },
    user: { type: 'integer', minimum: 0 },
    group: { type: 'integer', minimum: 0 },
    cwd: { type: 'string' },
  },
} as const;

export const execRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/1.0/instances/:name/exec',
    access: 'project',
    body: schema,
    handle: async (services, { params, project, body, caller }) => {
      const instance = await reachInstance(services, project, params['name'] ?? '');
      return accepted(execInstance(services, instance, body as InstanceExecPost, caller.requestor));
    },
  },
];
