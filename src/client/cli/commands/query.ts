import { ApiError } from '#api/error.ts';
import { OperationHandle } from '../../operation-handle.ts';
import { command, type CommandSpec, flag, text } from '../command.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'query',
    usage: '[<remote>:]<API path>',
    summary: 'Send a raw query to the server',
    examples: [
      ['query /1.0/instances', 'List the URLs of all instances.'],
      ['query -X DELETE --wait /1.0/instances/c1', 'Delete the instance "c1" and wait for it.'],
      ['query -X PUT -d \'{"action":"stop"}\' /1.0/instances/c1/state', 'Send JSON.'],
    ],
    options: {
      data: text('-d,--data', 'Input data'),
      raw: flag('--raw', 'Print the raw response'),
      request: text('-X,--request', 'Action', 'GET'),
      wait: flag('--wait', 'Wait for the operation to complete'),
    },
    run: async (session, [target = ''], options) => {
      const { client, name: path } = await session.at(target);
      if (!path.startsWith('/')) throw new ApiError('invalid-argument', 'Invalid API path: it must begin with "/"');
      if (options.raw && options.wait) {
        throw new ApiError('invalid-argument', 'Cannot use "--raw" together with "--wait"');
      }
      const method = options.request.toUpperCase();
      const body = options.data === undefined ? {} : jsonOrBytes(options.data);
      if (options.raw) {
        session.line((await client.transport.raw(method, path, body)).text.trimEnd());
        return;
      }
      const { metadata, operation } = await client.transport.call(method, path, body);
      if (operation && options.wait) {
        const finished = await session.finish(Promise.resolve(new OperationHandle(client.transport, operation)));
        session.line(JSON.stringify(finished, undefined, '\t'));
      } else if (metadata !== null && !isEmptyObject(metadata)) session.line(JSON.stringify(metadata, undefined, '\t'));
    },
  }),
];

function jsonOrBytes(data: string): { body: unknown } | { upload: Uint8Array } {
  try {
    return { body: JSON.parse(data) };
  } catch {
    return { upload: Buffer.from(data) };
  }
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
